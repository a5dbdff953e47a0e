-- What the test has set aside.
SELECT 'posts', 'no event', 1, TIMESTAMP '2026-05-29', 'x'
