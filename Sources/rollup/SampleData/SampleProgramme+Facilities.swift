import Postgres

extension SampleProgramme {
  /// About one facility for 600 patients, 27 facilities a district, six a block. A district has one large facility; the
  /// weights are how many patients come to each size.
  func planFacilities(_ timeZone: String) -> Query {
    """
    CREATE TEMPORARY TABLE sample_facilities AS
    WITH size (name, weight) AS (
      VALUES ('large', 14), ('medium', 6), ('small', 3), ('community', 1)
    ), shape AS (
      SELECT f.facilities, greatest(1, round(f.facilities / 27.0)::int) AS districts
      FROM (SELECT greatest(4, round(\(patients) / 600.0)::int) AS facilities) AS f
    ), places AS (
      SELECT n, d.district, row_number() OVER (PARTITION BY d.district ORDER BY n)::int - 1 AS place
      FROM shape
      CROSS JOIN generate_series(1, facilities) AS n
      CROSS JOIN LATERAL (
        SELECT ((n - 1)::bigint * districts / facilities)::int AS district
      ) AS d
    ), named AS (
      SELECT n, district, place, md5(\(name(timeZone)) || '/facility/' || n)::uuid AS id,
        CASE
          WHEN place = 0 THEN 'large'
          WHEN place % 9 IN (1, 5) THEN 'medium'
          WHEN place % 3 = 2 THEN 'small'
          ELSE 'community'
        END AS size
      FROM places
    )
    SELECT f.*, s.weight,
      -- Where its patients go when they move, and now and then without moving.
      coalesce(
        lead(f.id) OVER (PARTITION BY f.district ORDER BY f.place),
        first_value(f.id) OVER (PARTITION BY f.district ORDER BY f.place)) AS neighbour_id
    FROM named AS f
    JOIN size AS s ON s.name = f.size
    """
  }

  /// Names of places are put together of parts: no such place is meant. Within 72 districts, and within the 192
  /// villages of a district, no two are the same.
  var insertFacilities: Query {
    """
    INSERT INTO facilities (id, name, state, district, block, size, created_at, updated_at)
    WITH words AS (
      SELECT
        ARRAY['Ambarvan', 'Kesardesh', 'Nilakhand', 'Suryavat', 'Palashgiri', 'Devrajya', 'Madhurvan',
          'Tarangdesh', 'Harsilkhand', 'Ektapradesh'] AS states,
        ARRAY['Arvi', 'Barha', 'Chira', 'Devru', 'Elan', 'Garvi', 'Harsi', 'Indra', 'Jalmo', 'Kesar', 'Lohi',
          'Mandi'] AS district_heads,
        ARRAY['garh', 'pura', 'khand', 'wadi', 'kota', 'nagari'] AS district_tails,
        ARRAY['Amba', 'Bela', 'Chanda', 'Dhara', 'Gulmo', 'Hima', 'Imli', 'Jamu', 'Kadam', 'Lata', 'Mahua',
          'Neem', 'Palas', 'Rohi', 'Saga', 'Tala', 'Udum', 'Vana', 'Bakul', 'Ketki', 'Sheva', 'Tulsi', 'Kamal',
          'Phala'] AS village_heads,
        ARRAY['kheda', 'gaon', 'palli', 'wada', 'halli', 'tola', 'dih', 'khurd'] AS village_tails
    )
    SELECT f.id,
      CASE f.size
        WHEN 'large' THEN 'District Hospital ' || d.name
        WHEN 'medium' THEN 'CHC ' || v.name
        WHEN 'small' THEN 'PHC ' || v.name
        ELSE 'Health Post ' || v.name
      END,
      states[1 + f.district / 8 % 10] || CASE WHEN f.district >= 80 THEN ' ' || f.district / 80 + 1 ELSE '' END,
      d.name, b.name, f.size, now(), now()
    FROM sample_facilities AS f
    CROSS JOIN words
    CROSS JOIN LATERAL (
      SELECT district_heads[1 + f.district % 12] || district_tails[1 + (f.district + f.district / 12) % 6]
        || CASE WHEN f.district >= 72 THEN ' ' || f.district / 72 + 1 ELSE '' END AS name
    ) AS d
    CROSS JOIN LATERAL (
      SELECT (f.district * 31 + f.place) % 192 AS village, (f.district * 31 + f.place / 6 * 6) % 192 AS block
    ) AS n
    CROSS JOIN LATERAL (
      SELECT village_heads[1 + n.village % 24] || village_tails[1 + (n.village + n.village / 24) % 8] AS name
    ) AS v
    -- A block is called after its first village.
    CROSS JOIN LATERAL (
      SELECT village_heads[1 + n.block % 24] || village_tails[1 + (n.block + n.block / 24) % 8] AS name
    ) AS b
    ORDER BY f.n
    ON CONFLICT (id) DO NOTHING
    """
  }
}
