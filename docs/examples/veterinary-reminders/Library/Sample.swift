import Foundation
import Postgres

// Invented practices, for tests and measurements, and the large queries that the projections take the place of.

extension Practice {
  /// The uuid of a number.
  public static func id(_ number: Int) -> UUID {
    let digits = String(number, radix: 16)
    let padded = String(repeating: "0", count: 12 - digits.count) + digits
    return UUID(uuidString: "00000000-0000-4000-8000-\(padded)") ?? UUID()
  }

  /// SQL that fills the practice's tables: organizations 1 and 2, the second a tenth of the first; twelve products, eight
  /// protocols an organization, four immunizations and three order items a patient.
  /// - Parameter patients: of the first organization, or of each when there are more.
  public static func sample(patients: Int, organizations: Int = 2) -> String {
    """
    SELECT setseed(0.5);
    INSERT INTO clinic.products
    SELECT md5('product ' || n)::uuid, 'Product ' || n, CASE WHEN n % 4 = 0 THEN NULL ELSE 90 * (n % 4 + 1) END
    FROM generate_series(1, 12) AS n;
    CREATE TEMPORARY TABLE organizations AS
    SELECT n, ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
      CASE WHEN n = 2 THEN greatest(\(patients) / 10, 1) ELSE \(patients) END AS size
    FROM generate_series(1, \(organizations)) AS n;
    INSERT INTO clinic.protocols
    SELECT md5('protocol ' || o.n || ' ' || p)::uuid, o.id, 'Protocol ' || p,
      CASE p % 3 WHEN 0 THEN NULL WHEN 1 THEN 'dog' ELSE 'cat' END, p * 30, CASE WHEN p = 8 THEN 2000 END, true
    FROM organizations AS o, generate_series(1, 8) AS p;
    INSERT INTO clinic.protocol_products
    SELECT DISTINCT md5('protocol ' || o.n || ' ' || p)::uuid, md5('product ' || x)::uuid
    FROM organizations AS o, generate_series(1, 8) AS p, unnest(ARRAY[p, p % 4 + 9]) AS x;
    INSERT INTO clinic.cadences
    SELECT md5('cadence ' || o.n || ' ' || d)::uuid, o.id, d FROM organizations AS o, unnest(ARRAY[-14, 0, 7]) AS d;
    INSERT INTO clinic.patients
    SELECT md5('patient ' || o.n || ' ' || k)::uuid, o.id, 'Patient ' || k, (ARRAY['dog', 'cat', 'rabbit'])[1 + k % 3],
      date '2024-06-15' - (k * 37 % 4000), CASE WHEN k % 20 = 0 THEN date '2024-05-01' END
    FROM organizations AS o, generate_series(1, o.size) AS k;
    INSERT INTO clinic.immunizations
    SELECT gen_random_uuid(), k.organization_id, k.id, md5('product ' || (1 + floor(random() * 12)::int))::uuid,
      date '2024-06-15' - floor(random() * 700)::int, NULL, random() < 0.1, CASE WHEN random() < 0.05 THEN now() END
    FROM clinic.patients AS k, generate_series(1, 4);
    INSERT INTO clinic.order_items
    SELECT gen_random_uuid(), k.organization_id, k.id, md5('product ' || (1 + floor(random() * 12)::int))::uuid,
      date '2024-06-15' - floor(random() * 700)::int, NULL, random() < 0.1, CASE WHEN random() < 0.05 THEN now() END
    FROM clinic.patients AS k, generate_series(1, 3);
    INSERT INTO clinic.custom_patient_protocols
    SELECT gen_random_uuid(), k.organization_id, k.id, p.id, date '2024-06-15' - floor(random() * 400)::int,
      date '2024-06-15' + floor(random() * 400 - 100)::int
    FROM clinic.patients AS k
    JOIN clinic.protocols AS p ON p.organization_id = k.organization_id AND p.name = 'Protocol 3'
    WHERE random() < 0.1;
    DROP TABLE organizations;
    ANALYZE clinic.patients, clinic.immunizations, clinic.order_items, clinic.custom_patient_protocols, clinic.protocols,
      clinic.protocol_products, clinic.products, clinic.cadences;
    """
  }

  /// A dog of five years, with one protocol that one product of 365 days fulfils.
  public static func add(_ pool: Pool) async throws -> (
    organization: UUID, patient: UUID, product: UUID
  ) {
    try await pool.withConnection { connection in
      try await connection.script(
        """
        INSERT INTO clinic.products VALUES ('\(id(10))', 'Rabies', 365);
        INSERT INTO clinic.protocols VALUES ('\(id(20))', '\(id(1))', 'Rabies', 'dog', 84, NULL, true);
        INSERT INTO clinic.protocol_products VALUES ('\(id(20))', '\(id(10))');
        INSERT INTO clinic.patients VALUES ('\(id(30))', '\(id(1))', 'Rex', 'dog', '2019-06-15', NULL, NULL);
        """)
    }
    return (id(1), id(30), id(10))
  }

  /// What the example starts from: everything at once, from the practice's tables. `$1` is the day.
  public static let outstandingByHand = """
    WITH done AS (
      SELECT DISTINCT ON (patient_id, protocol_id) patient_id, protocol_id, done_on, due_on
      FROM (
        SELECT i.patient_id, x.protocol_id, i.given_on AS done_on, coalesce(i.due_on, i.given_on + p.duration_days) AS due_on, i.id
        FROM (
          SELECT DISTINCT ON (patient_id, product_id) * FROM clinic.immunizations
          WHERE deleted_at IS NULL AND NOT is_declined
          ORDER BY patient_id, product_id, given_on DESC, id DESC
        ) AS i
        JOIN clinic.products AS p ON p.id = i.product_id
        JOIN clinic.protocol_products AS x ON x.product_id = i.product_id
        UNION ALL
        SELECT i.patient_id, x.protocol_id, i.ordered_on, coalesce(i.due_on, i.ordered_on + p.duration_days), i.id
        FROM (
          SELECT DISTINCT ON (patient_id, product_id) * FROM clinic.order_items
          WHERE deleted_at IS NULL AND NOT is_declined
          ORDER BY patient_id, product_id, ordered_on DESC, id DESC
        ) AS i
        JOIN clinic.products AS p ON p.id = i.product_id
        JOIN clinic.protocol_products AS x ON x.product_id = i.product_id
        UNION ALL
        SELECT c.patient_id, c.protocol_id, c.done_on, c.due_on, c.id
        FROM (
          SELECT DISTINCT ON (patient_id, protocol_id) * FROM clinic.custom_patient_protocols
          WHERE deleted_at IS NULL
          ORDER BY patient_id, protocol_id, done_on DESC, id DESC
        ) AS c
      ) AS every
      ORDER BY patient_id, protocol_id, done_on DESC NULLS LAST, due_on DESC NULLS LAST, id DESC
    )
    SELECT k.organization_id, k.id AS patient_id, p.id AS protocol_id,
      CASE WHEN d.patient_id IS NULL THEN k.born_on + p.min_age_days ELSE d.due_on END AS due_on, d.done_on
    FROM clinic.patients AS k
    JOIN clinic.protocols AS p ON p.organization_id = k.organization_id AND p.is_enabled
      AND (p.species IS NULL OR p.species = k.species) AND $1 - k.born_on >= p.min_age_days
      AND (p.max_age_days IS NULL OR $1 - k.born_on <= p.max_age_days)
    LEFT JOIN done AS d ON d.patient_id = k.id AND d.protocol_id = p.id
    WHERE k.died_on IS NULL AND k.deleted_at IS NULL AND (d.patient_id IS NULL OR d.due_on IS NOT NULL)
    """

  /// The keys of the reminders of a day, by hand. `$1` is the day.
  public static let remindersByHand = """
    SELECT jsonb_build_array(o.patient_id, o.protocol_id, o.due_on, c.id)::text
    FROM (\(outstandingByHand)) AS o
    JOIN clinic.cadences AS c ON c.organization_id = o.organization_id
    WHERE $1 >= o.due_on + c.offset_days AND $1 < o.due_on + c.offset_days + 7
    """
}
