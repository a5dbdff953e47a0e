SELECT type, count(*) FILTER (operation = 'create'), count(*) FILTER (operation = 'update'),
    count(*) FILTER (operation = 'delete'), round(count(*) FILTER (operation = 'delete') / count(*), 3)
FROM received WHERE day = latest() GROUP BY type ORDER BY count(*) DESC
