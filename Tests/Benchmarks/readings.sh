# readings.sh, sourced with $bin, $work, psql and value: scripts for pgbench that write a reading of a random patient in 2024Q2, bare
# ($work/bare.sql) and by the library's statement ($work/library.sql).

# Patients by number, so that pgbench and the client choose at random among all of them alike.
psql <<END
DROP TABLE IF EXISTS numbered_patients;
CREATE TABLE numbered_patients (number bigint PRIMARY KEY, id uuid NOT NULL, facility_id uuid);
INSERT INTO numbered_patients
SELECT row_number() OVER (ORDER BY md5(id::text)), id, assigned_facility_id FROM patients WHERE deleted_at IS NULL;
VACUUM ANALYZE numbered_patients;
END
choosing="\\set p random(1, $(value 'SELECT count(*) FROM numbered_patients'))
\\set s random(0, 90 * 86400)
SELECT id AS patient, facility_id AS facility FROM numbered_patients WHERE number = :p \\gset"
{
  echo "$choosing"
  echo "INSERT INTO blood_pressures (patient_id, id, recorded_at, facility_id, systolic, diastolic)"
  echo "VALUES (:patient::uuid, gen_random_uuid(), '2024-04-01'::timestamptz + :s * interval '1 second', :facility::uuid, 131, 131);"
} >"$work/bare.sql"
# The library's own statement, with pgbench's variables in the place of its parameters.
quietly "$bin/benchmark" statement >"$work/statement"
parameters=$(sed -n 's/^-- insert a blood pressure: //p' "$work/statement" | tr ',' '\n')
value_of() {
  case $1 in
    patient_id) echo ":patient" ;;
    id) echo "gen_random_uuid()" ;;
    recorded_at) echo "('2024-04-01'::timestamptz + :s * interval '1 second')" ;;
    facility_id) echo ":facility" ;;
    systolic) echo "130" ;;
    diastolic) echo "80" ;;
    heart_rate | deleted_at) echo "NULL" ;;
    time_zone) echo "'Asia\\/Kolkata'" ;;
    *) echo "readings.sh has no value for the parameter $1" >>"$work/said"; return 1 ;;
  esac
}
substitutions=
while read -r number name; do
  replacement=$(value_of "$name")
  substitutions="${substitutions}s/\\$number::/$replacement::/g
"
done <<END
$parameters
END
{
  echo "$choosing"
  grep -v '^--' "$work/statement" | sed -e "$substitutions"
} >"$work/library.sql"
