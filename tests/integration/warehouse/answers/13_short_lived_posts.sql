WITH today AS (SELECT *, row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) AS nth FROM posts WHERE day = latest()),
born AS (FROM today WHERE operation = 'create' QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1),
said AS (FROM today WHERE operation <> 'delete' QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1)
SELECT died.uri, date_diff('minute', born.moment, died.moment), said.text
FROM today AS died JOIN born USING (did, rkey) JOIN said USING (did, rkey)
WHERE died.nth = 1 AND died.operation = 'delete' ORDER BY 2, 1 LIMIT 20
