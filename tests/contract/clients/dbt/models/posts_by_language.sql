{{ config(materialized='table', order_by='language') }}
select language, count() as posts from {{ ref('posts_with_language') }} group by language
