{{ config(materialized='incremental', order_by='id', unique_key='id', incremental_strategy='delete+insert') }}
select id, at from {{ source('firehose', 'posts') }}
{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}
