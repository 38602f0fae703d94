import Postgres

extension SampleProgramme {
  /// Each patient's course: where and when registered, how often seen, and when it ends.
  ///
  /// `u1` to `v4` are uniform draws from 0 to 1, four from each hash. They are used for more than one thing only where
  /// the one does not tell of the other.
  func planPatients(_ timeZone: String) -> Query {
    """
    CREATE TEMPORARY TABLE sample_patients AS
    WITH slots AS (
      SELECT array_agg(f.n ORDER BY f.n) AS slots
      FROM sample_facilities AS f
      CROSS JOIN generate_series(1, f.weight)
    ), draws AS (
      SELECT md5(\(name(timeZone)) || '/patient/' || p)::uuid AS id, h,
        (h & 65535) / 65536::float8 AS u1, ((h >> 16) & 65535) / 65536::float8 AS u2,
        ((h >> 32) & 65535) / 65536::float8 AS u3, ((h >> 48) & 65535) / 65536::float8 AS u4,
        (g & 65535) / 65536::float8 AS v1, ((g >> 16) & 65535) / 65536::float8 AS v2,
        ((g >> 32) & 65535) / 65536::float8 AS v3, ((g >> 48) & 65535) / 65536::float8 AS v4
      FROM generate_series(1, \(patients)) AS p
      CROSS JOIN LATERAL (
        SELECT hashint8extended(p, \(stream(.patient))) AS h,
          hashint8extended(p, \(stream(.course))) AS g
      ) AS r
    ), registered AS (
      SELECT d.*, r.registered_on,
        (r.registered_on + time '08:30' + d.v1 * interval '8 hours') AT TIME ZONE \(timeZone)
          AS registered_at,
        (SELECT slots FROM slots)[1 + floor(d.u1 * (SELECT cardinality(slots) FROM slots))::int] AS facility
      FROM draws AS d
      CROSS JOIN LATERAL (
        SELECT s.first + floor(s.days * power(d.u2, 1.1))::int AS registered_on
        FROM (
          SELECT \(CalendarDay(from.start)) AS first,
            \(CalendarDay(to.end)) - \(CalendarDay(from.start)) AS days
        ) AS s
      ) AS r
    ), courses AS (
      SELECT r.*, \(CalendarDay(to.end))::timestamp AT TIME ZONE \(timeZone) AS over_at,
        -- One in 45 dies a year; six in a hundred move within some years; a third drift away, half of them in a year.
        r.registered_at - ln(1 - r.v3) * 45 * interval '365 days' AS dies_at,
        CASE WHEN r.u3 < 0.06 THEN r.registered_at + (0.2 + 2 * r.v2) * interval '365 days' END AS moves_at,
        CASE
          WHEN r.u4 < 0.35 THEN r.registered_at - ln(1 - r.v4) * interval '520 days'
          ELSE 'infinity'
        END AS leaves_at,
        -- Days from visit to visit.
        CASE WHEN r.v2 < 0.45 THEN 36 WHEN r.v2 < 0.8 THEN 64 ELSE 95 END + 4 * r.v1 AS every
      FROM registered AS r
    )
    SELECT row_number() OVER (ORDER BY c.id)::int AS place, c.id, c.h, c.registered_on, c.registered_at,
      c.u3 NOT BETWEEN 0.06 AND 0.14 AS hypertensive, f.id AS facility_id, f.neighbour_id, e.ends_at,
      CASE WHEN c.moves_at < e.ends_at THEN c.moves_at END AS moved_at,
      CASE WHEN c.dies_at < c.over_at THEN c.dies_at END AS died_at, c.every,
      floor(extract(epoch FROM e.ends_at - c.registered_at)::float8 / 86400 / c.every)::int AS returns
    FROM courses AS c
    JOIN sample_facilities AS f ON f.n = c.facility
    CROSS JOIN LATERAL (SELECT least(c.leaves_at, c.dies_at, c.over_at) AS ends_at) AS e
    ORDER BY c.id
    """
  }

  var insertPatients: Query {
    """
    INSERT INTO patients (id, registered_at, registration_facility_id, assigned_facility_id, hypertensive, died_at,
      deleted_at, created_at, updated_at)
    SELECT p.id, p.registered_at, p.facility_id,
      CASE WHEN p.moved_at IS NULL THEN p.facility_id ELSE p.neighbour_id END, p.hypertensive, p.died_at,
      CASE WHEN p.h % 400 = 0 THEN p.registered_at + interval '40 days' END, p.registered_at, p.registered_at
    FROM sample_patients AS p
    ORDER BY p.place
    ON CONFLICT (id) DO NOTHING
    """
  }
}
