-- The figures of district-bp for the facilities of one district and a quarter that is over, straight from the sources:
-- what the report is compared with, in value and in time.
--
-- $1 the district, $2 the quarter's first day, $3 the reporting time zone.
WITH t AS (
  SELECT $2::date::timestamp AT TIME ZONE $3 AS quarter,
    ($2::date + interval '3 months') AT TIME ZONE $3 AS quarter_end,
    ($2::date - interval '9 months') AT TIME ZONE $3 AS year,
    ($2::date - interval '3 months') AT TIME ZONE $3 AS quarter_before
), places AS (
  SELECT id FROM facilities WHERE district = $1
), people AS (
  SELECT p.id, p.assigned_facility_id AS facility_id, p.registered_at,
    coalesce(p.died_at < t.quarter_end, false) AS dead
  FROM patients AS p, t
  WHERE p.assigned_facility_id IN (SELECT id FROM places)
    AND p.hypertensive AND p.deleted_at IS NULL AND p.registered_at < t.quarter_end
), readings AS (
  SELECT DISTINCT ON (b.patient_id) b.patient_id, b.systolic < 140 AND b.diastolic < 90 AS controlled
  FROM blood_pressures AS b
  JOIN people ON people.id = b.patient_id, t
  WHERE b.deleted_at IS NULL AND b.recorded_at >= t.quarter AND b.recorded_at < t.quarter_end
  ORDER BY b.patient_id, b.recorded_at DESC, b.id DESC
), visitors AS (
  SELECT e.patient_id, bool_or(e.at >= t.quarter) AS this_quarter
  FROM (
    SELECT b.patient_id, b.recorded_at AS at
    FROM blood_pressures AS b
    WHERE b.deleted_at IS NULL
    UNION ALL
    SELECT v.patient_id, v.visited_at
    FROM visits AS v
    WHERE v.deleted_at IS NULL
  ) AS e
  JOIN people ON people.id = e.patient_id, t
  WHERE e.at >= t.year AND e.at < t.quarter_end
  GROUP BY 1
), states AS (
  SELECT people.facility_id, people.dead,
    NOT people.dead AND (people.registered_at >= t.year OR visitors.patient_id IS NOT NULL) AS under_care,
    people.registered_at < t.quarter AS adjusted,
    people.registered_at >= t.quarter_before AND people.registered_at < t.quarter AS in_cohort,
    coalesce(visitors.this_quarter, false) AS visited,
    readings.controlled
  FROM people
  LEFT JOIN readings ON readings.patient_id = people.id
  LEFT JOIN visitors ON visitors.patient_id = people.id, t
), registrations AS (
  SELECT p.registration_facility_id AS facility_id, count(*) AS cumulative,
    count(*) FILTER (WHERE p.registered_at >= t.quarter) AS new
  FROM patients AS p, t
  WHERE p.registration_facility_id IN (SELECT id FROM places)
    AND p.hypertensive AND p.deleted_at IS NULL AND p.registered_at < t.quarter_end
  GROUP BY 1
), figures AS (
  SELECT facility_id,
    count(*) FILTER (WHERE NOT dead) AS assigned_patients,
    count(*) FILTER (WHERE under_care) AS under_care,
    count(*) FILTER (WHERE NOT dead AND NOT under_care) AS lost_to_follow_up,
    count(*) FILTER (WHERE dead) AS dead,
    count(controlled) AS patients_with_bp,
    count(*) FILTER (WHERE controlled) AS bp_controlled,
    count(*) FILTER (WHERE NOT controlled) AS bp_uncontrolled,
    count(*) FILTER (WHERE under_care AND adjusted AND controlled) AS controlled,
    count(*) FILTER (WHERE under_care AND adjusted AND NOT controlled) AS uncontrolled,
    count(*) FILTER (WHERE under_care AND adjusted AND NOT visited) AS missed_visit,
    count(*) FILTER (WHERE under_care AND adjusted AND visited AND controlled IS NULL) AS visited_no_bp,
    count(*) FILTER (WHERE in_cohort) AS cohort_registered,
    count(*) FILTER (WHERE in_cohort AND controlled) AS cohort_controlled,
    count(*) FILTER (WHERE in_cohort AND NOT controlled) AS cohort_uncontrolled,
    count(*) FILTER (WHERE in_cohort AND NOT visited) AS cohort_missed_visit,
    count(*) FILTER (WHERE in_cohort AND visited AND controlled IS NULL) AS cohort_visited_no_bp
  FROM states
  GROUP BY 1
)
SELECT f.id, coalesce(r.cumulative, 0), coalesce(r.new, 0), coalesce(n.assigned_patients, 0),
  coalesce(n.under_care, 0), coalesce(n.lost_to_follow_up, 0), coalesce(n.dead, 0),
  coalesce(n.patients_with_bp, 0), coalesce(n.bp_controlled, 0), coalesce(n.bp_uncontrolled, 0),
  coalesce(n.controlled, 0), coalesce(n.uncontrolled, 0), coalesce(n.missed_visit, 0),
  coalesce(n.visited_no_bp, 0), coalesce(n.cohort_registered, 0), coalesce(n.cohort_controlled, 0),
  coalesce(n.cohort_uncontrolled, 0), coalesce(n.cohort_missed_visit, 0), coalesce(n.cohort_visited_no_bp, 0)
FROM places AS f
LEFT JOIN figures AS n ON n.facility_id = f.id
LEFT JOIN registrations AS r ON r.facility_id = f.id
ORDER BY f.id
