import Postgres

extension SampleProgramme {
  /// What patients came for: a common table expression `encounters` for the statements below. Patients are planned in
  /// the order of their ids, so that the index of the primary key is written from left to right without a sort.
  ///
  /// `OFFSET 0`, here and below, keeps the planner from copying an expression to every place that names it, where it
  /// would be computed again.
  private static let encounters = """
    SELECT p.id AS patient_id, p.h AS patient_draw, p.hypertensive, p.registered_at, k, e.at, e.seen_on, r.u2, r.u3,
      r.g, hashint8extended(p.h # k, parameters.reading_stream) AS d,
      -- One visit in 25 is at another facility.
      CASE WHEN e.at >= p.moved_at OR r.u4 < 0.04 THEN p.neighbour_id ELSE p.facility_id END AS facility_id
    FROM sample_patients AS p
    CROSS JOIN parameters
    CROSS JOIN LATERAL generate_series(0, p.returns) AS k
    CROSS JOIN LATERAL (
      SELECT g, (g & 65535) / 65536::float8 AS u1, ((g >> 16) & 65535) / 65536::float8 AS u2,
        ((g >> 32) & 65535) / 65536::float8 AS u3, ((g >> 48) & 65535) / 65536::float8 AS u4
      FROM (SELECT hashint8extended(p.h # k, parameters.visit_stream) AS g OFFSET 0) AS g
      OFFSET 0
    ) AS r
    -- A week early or late, but on no Sunday (2000-01-02 was one).
    CROSS JOIN LATERAL (
      SELECT p.registered_on + CASE k WHEN 0 THEN 0 ELSE (k * p.every + 14 * r.u3 - 7)::int END AS day
    ) AS due
    CROSS JOIN LATERAL (
      SELECT due.day + (k > 0 AND (due.day - date '2000-01-02') % 7 = 0)::int AS seen_on
    ) AS day
    CROSS JOIN LATERAL (
      SELECT day.seen_on,
        CASE k
          WHEN 0 THEN p.registered_at + r.u3 * interval '20 minutes'
          ELSE (day.seen_on + time '08:30' + r.u4 * interval '8 hours') AT TIME ZONE parameters.time_zone
        END AS at
      OFFSET 0
    ) AS e
    WHERE p.place BETWEEN parameters.first AND parameters.last
      AND (
        k = 0
        -- Fewer come in the rains (July, August) and at harvest and festivals (October, November).
        OR e.at < p.ends_at AND r.u1 < (
          ARRAY[0.97, 0.95, 0.97, 0.95, 0.93, 0.88, 0.80, 0.82, 0.92, 0.84, 0.86, 0.95]::float8[]
        )[extract(month FROM day.seen_on)::int]
      )
    OFFSET 0
    """

  private func parameters(_ patients: ClosedRange<Int>, _ timeZone: String) -> Query {
    """
    SELECT \(patients.lowerBound)::int AS first, \(patients.upperBound)::int AS last, \(timeZone) AS time_zone,
      \(stream(.visit)) AS visit_stream, \(stream(.reading)) AS reading_stream
    """
  }

  /// Eleven visits in twelve have a reading, some of these a second one five minutes later.
  ///
  /// Systolic: a patient's own level, less what treatment does over its first months for four in five, a little more in
  /// winter, and chance. Diastolic follows systolic.
  func insertReadings(of patients: ClosedRange<Int>, _ timeZone: String) -> Query {
    let parameters = parameters(patients, timeZone)
    return Query(
      text: """
        INSERT INTO blood_pressures (patient_id, id, facility_id, systolic, diastolic, heart_rate, recorded_at,
          deleted_at, created_at, updated_at)
        WITH parameters AS (
        \(parameters.text)
        ), encounters AS (
        \(Self.encounters)
        ), draws AS (
          SELECT e.*, again, e.at + again * interval '5 minutes' AS truly_at,
            -- Sums of three uniform draws, near enough to the normal distribution with deviation 1.
            ((patient_draw & 1023) + ((patient_draw >> 10) & 1023) + ((patient_draw >> 20) & 1023)) / 512::float8 - 3
              AS own,
            ((d & 1023) + ((d >> 10) & 1023) + ((d >> 20) & 1023)) / 512::float8 - 3 - 0.5 * again AS chance,
            (((d >> 30) & 1023) + ((d >> 40) & 1023) + ((d >> 50) & 1023)) / 512::float8 - 3 AS other_chance,
            extract(epoch FROM e.at - e.registered_at)::float8 / 86400 AS days
          FROM encounters AS e
          CROSS JOIN LATERAL generate_series(0, (u3 < 0.04)::int) AS again
          WHERE u2 < 0.917
          OFFSET 0
        ), measured AS (
          SELECT *,
            greatest(84, least(238,
              CASE WHEN hypertensive THEN 156 + 15 * own ELSE 122 + 9 * own END
              - CASE
                  WHEN hypertensive AND (patient_draw >> 32) & 1023 < 810
                  THEN (14 + 14 * ((patient_draw >> 42) & 1023) / 1023::float8) * (1 - exp(-days / 130))
                  ELSE 0
                END
              + 3 * cos((seen_on - date '2000-01-10') * 0.0172) + 8 * chance)) AS systolic
          FROM draws
          OFFSET 0
        )
        SELECT patient_id, md5(patient_id || '/reading/' || k || '/' || again)::uuid, facility_id,
          round(systolic)::int,
          round(greatest(46, least(systolic - 18, 24 + 0.42 * systolic + 6 * other_chance)))::int,
          -- Not every device tells.
          CASE WHEN (d >> 20) & 7 < 6 THEN round(76 + 5 * own + 6 * chance)::int END,
          -- Wrong times, a few of each: none, the year 16, an Ethiopian year taken for a Gregorian one, the future.
          CASE (d & 2147483647) % 6000
            WHEN 0 THEN NULL
            WHEN 1 THEN truly_at - interval '2002 years'
            WHEN 2 THEN truly_at - interval '7 years 8 months'
            WHEN 3 THEN truly_at + interval '40 years'
            ELSE truly_at
          END,
          CASE WHEN (g & 2147483647) % 300 = 0 THEN truly_at + interval '9 days' END,
          synced_at, synced_at
        FROM measured
        -- Most phones sync within the hours, some after weeks, a few after months.
        CROSS JOIN LATERAL (
          SELECT truly_at + CASE
            WHEN (d >> 8) & 1023 < 870 THEN u2 * interval '6 hours'
            WHEN (d >> 8) & 1023 < 990 THEN u2 * interval '12 days'
            WHEN (d >> 8) & 1023 < 1018 THEN u2 * interval '60 days'
            ELSE u2 * interval '300 days'
          END AS synced_at
          OFFSET 0
        ) AS synced
        ON CONFLICT (patient_id, id) DO NOTHING
        """,
      binds: parameters.binds)
  }

  /// One patient in four has diabetes too, and a blood sugar at one visit in two; HbA1c is measured once in a while.
  func insertBloodSugars(of patients: ClosedRange<Int>, _ timeZone: String) -> Query {
    let parameters = parameters(patients, timeZone)
    return Query(
      text: """
        INSERT INTO blood_sugars (patient_id, id, facility_id, value, type, recorded_at, created_at, updated_at)
        WITH parameters AS (
        \(parameters.text)
        ), encounters AS (
        \(Self.encounters)
        ), draws AS (
          SELECT *, (ARRAY['random', 'fasting', 'fasting', 'post_prandial', 'hba1c'])[1 + ((d >> 3) & 1023) % 5] AS type,
            ((patient_draw >> 5) & 1023) / 1023::float8 AS own,
            (((d >> 13) & 1023) + ((d >> 23) & 1023)) / 1023::float8 - 1 AS chance
          FROM encounters
          WHERE (patient_draw >> 50) & 3 = 0 AND d & 1 = 0
          OFFSET 0
        )
        SELECT patient_id, md5(patient_id || '/sugar/' || k)::uuid, facility_id,
          CASE type
            WHEN 'hba1c' THEN round((6.4 + 2.6 * own + 0.8 * chance)::numeric, 1)
            WHEN 'fasting' THEN round((112 + 70 * own + 25 * chance)::numeric)
            ELSE round((150 + 110 * own + 45 * chance)::numeric)
          END, type, at + interval '4 minutes', synced_at, synced_at
        FROM draws
        CROSS JOIN LATERAL (SELECT at + u3 * interval '2 days' AS synced_at) AS synced
        ON CONFLICT (patient_id, id) DO NOTHING
        """,
      binds: parameters.binds)
  }

  /// The visits without a reading.
  func insertVisits(of patients: ClosedRange<Int>, _ timeZone: String) -> Query {
    let parameters = parameters(patients, timeZone)
    return Query(
      text: """
        INSERT INTO visits (patient_id, id, facility_id, visited_at, created_at, updated_at)
        WITH parameters AS (
        \(parameters.text)
        ), encounters AS (
        \(Self.encounters)
        )
        SELECT patient_id, md5(patient_id || '/visit/' || k)::uuid, facility_id, at, synced_at, synced_at
        FROM encounters
        CROSS JOIN LATERAL (SELECT at + u3 * interval '2 days' AS synced_at) AS synced
        WHERE u2 >= 0.917
        ON CONFLICT (patient_id, id) DO NOTHING
        """,
      binds: parameters.binds)
  }
}
