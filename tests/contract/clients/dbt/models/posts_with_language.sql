select p.id, p.at, l.name as language
from {{ source('firehose', 'posts') }} as p
inner join {{ ref('languages') }} as l on l.id = p.id % 3
