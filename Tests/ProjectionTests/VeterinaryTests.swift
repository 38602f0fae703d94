import Foundation
import PeriodRollups
import Postgres
import RollupStore
import Synchronization
import TestSupport
import Testing
import VeterinaryReminders

/// The example, at work.
@Suite(.timeLimit(.minutes(30))) struct VeterinaryTests {
  static let today = CalendarDay(year: 2024, month: 6, day: 15)

  // MARK: One patient

  @Test func aDeletedOrderItemBringsTheImmunizationBack() async throws {
    try await withClinic { clinic, pool in
      let rex = try await Practice.add(pool)
      try await pool.withConnection {
        try await $0.script(
          """
          INSERT INTO clinic.immunizations (id, organization_id, patient_id, product_id, given_on)
          VALUES ('\(Practice.id(100))', '\(rex.organization)', '\(rex.patient)', '\(rex.product)', '2023-07-01');
          INSERT INTO clinic.order_items (id, organization_id, patient_id, product_id, ordered_on)
          VALUES ('\(Practice.id(200))', '\(rex.organization)', '\(rex.patient)', '\(rex.product)', '2024-06-01');
          """)
      }
      #expect(try await clinic.panel(of: rex.patient).map(\.dueOn.description) == ["2025-06-01"])
      try await pool.withConnection {
        _ = try await $0.execute("UPDATE clinic.order_items SET deleted_at = now()")
      }
      let back = try await clinic.panel(of: rex.patient)
      #expect(back.map(\.dueOn.description) == ["2024-06-30"])
      #expect(back.map { $0.doneOn?.description } == ["2023-07-01"])
    }
  }

  @Test func declinedOnesDoNotCountAndTheProductsDurationDoesWhereNoDayIsSet() async throws {
    try await withClinic { clinic, pool in
      let rex = try await Practice.add(pool)
      try await pool.withConnection {
        try await $0.script(
          """
          INSERT INTO clinic.immunizations (id, organization_id, patient_id, product_id, given_on, due_on, is_declined)
          VALUES ('\(Practice.id(100))', '\(rex.organization)', '\(rex.patient)', '\(rex.product)', '2023-07-01', '2023-12-24', false),
            ('\(Practice.id(101))', '\(rex.organization)', '\(rex.patient)', '\(rex.product)', '2024-06-01', NULL, true);
          """)
      }
      #expect(try await clinic.panel(of: rex.patient).map(\.dueOn.description) == ["2023-12-24"])
      #expect(
        try await clinic.projector.rows(
          of: MostRecentImmunization.self, lens: .where(Of.patient, is: rex.patient)
        ).all().map(\.immunizationID) == [Practice.id(100)])
    }
  }

  @Test func whoIsTooYoungOfAnotherSpeciesOrDeadIsDueForNothing() async throws {
    try await withClinic { clinic, pool in
      let rex = try await Practice.add(pool)
      #expect(try await clinic.panel(of: rex.patient).count == 1)
      for change in [
        "species = 'cat'", "species = 'dog', born_on = '2024-06-01'",
        "born_on = '2020-01-01', died_on = '2024-06-02'",
      ] {
        try await pool.withConnection {
          try await $0.script("UPDATE clinic.patients SET \(change)")
        }
        #expect(try await clinic.panel(of: rex.patient).isEmpty, "\(change)")
      }
    }
  }

  // MARK: An organization

  @Test func theNightRemindsOfEachOnceHoweverOftenItComes() async throws {
    try await withClinic { clinic, pool in
      try await pool.withConnection { try await $0.script(Practice.sample(patients: 60)) }
      let sent = Mutex<[String: Int]>([:])
      try await withWorker(
        clinic,
        send: { reminder in
          // The first call for each is lost on the way.
          let times = sent.withLock { sent in
            sent[reminder.key, default: 0] += 1
            return sent[reminder.key] ?? 0
          }
          struct Lost: Error {}
          if times == 1 { throw Lost() }
        }
      ) {
        for _ in 0..<3 {
          for organization in [1, 2] {
            try await clinic.jobs.enqueue(clinic.nightlyJob(for: Practice.id(organization)))
          }
          try await untilIdle(clinic, pool)
        }
      }
      let expected = try await pool.withConnection {
        try await $0.query(Query(text: Practice.remindersByHand, binds: [Bind(Self.today)])).map {
          try $0.decode(String.self)
        }
      }
      #expect(!expected.isEmpty)
      #expect(Set(sent.withLock { $0.keys }) == Set(expected))
      #expect(sent.withLock { $0.values.allSatisfy { $0 == 2 } })
      // The nights are on record: of each projection the last, in which nothing was left to write.
      let history = try await clinic.projector.history()
      for projection in clinic.projector.graph.stored {
        let last = try #require(history[projection.name]?.last, "\(projection.name)")
        #expect(last.ended != nil && last.chunks > 0 && last.seconds > 0 && last.written == 0)
        #expect(last.lens.contains("organization_id"), "\(last.lens)")
      }
      let written = try await pool.withConnection {
        try await $0.query(
          "SELECT sum((e.value->>'written')::bigint)::bigint FROM rollup.jobs CROSS JOIN jsonb_each(parts) AS e WHERE e.key = 'triggered-cadences'"
        ).only(Int.self)
      }
      #expect(written == expected.count)
    }
  }

  @Test func switchingAProtocolOffAndOnAgainIsAJobInChunks() async throws {
    try await withClinic { clinic, pool in
      try await pool.withConnection { try await $0.script(Practice.sample(patients: 60)) }
      try await clinic.projector.begin(OutstandingProtocol.projection, lens: .everything).wait()
      let before = try await clinic.compliance(of: Practice.id(1))
      let others = try await clinic.compliance(of: Practice.id(2))
      let one = try await pool.withConnection {
        try await $0.query(
          "SELECT id, name FROM clinic.protocols WHERE organization_id = \(Practice.id(1)) ORDER BY name LIMIT 1"
        ).only((UUID, String).self)
      }
      #expect(before.contains { $0.protocolName == one.1 })
      try await withWorker(clinic, send: { _ in }) {
        let off = try await clinic.setEnabled(false, protocol: one.0, of: Practice.id(1))
        try await off.wait()
        #expect(try await off.progress().chunks > 1)
        let without = try await clinic.compliance(of: Practice.id(1))
        #expect(without == before.filter { $0.protocolName != one.1 })
        try await clinic.setEnabled(true, protocol: one.0, of: Practice.id(1)).wait()
      }
      #expect(try await clinic.compliance(of: Practice.id(1)) == before)
      #expect(try await clinic.compliance(of: Practice.id(2)) == others)
      #expect(try await clinic.compliance(of: Practice.id(1), search: "no such name").isEmpty)
    }
  }

  /// The one large query that the projections take the place of gives the same.
  @Test func thePanelTheNightAndTheLargeQueryAgree() async throws {
    try await withClinic { clinic, pool in
      try await pool.withConnection { try await $0.script(Practice.sample(patients: 80)) }
      try await clinic.projector.begin(
        OutstandingProtocol.projection, lens: .where(Of.organization, is: Practice.id(1))
      ).wait()
      let night = try await outstanding(pool, "clinic.outstanding_protocols")
      let large = try await outstanding(
        pool, "(\(Practice.outstandingByHand)) AS h", [Bind(Self.today)])
      #expect(!night.isEmpty && night == large)
      let patients = try await pool.withConnection {
        try await $0.query(
          "SELECT id FROM clinic.patients WHERE organization_id = \(Practice.id(1)) ORDER BY id"
        ).map { try $0.decode(UUID.self) }
      }
      var panels: [String] = []
      for patient in patients {
        panels += try await clinic.panel(of: patient).map {
          "\($0.patientID.uuidString.lowercased()) \($0.protocolID.uuidString.lowercased()) \($0.dueOn)"
        }
      }
      #expect(panels.sorted() == large.sorted())
      let drift = try await clinic.projector.verify(
        OutstandingProtocol.projection, lens: .where(Of.organization, is: Practice.id(1)))
      #expect(drift.isEmpty)
    }
  }

  // MARK: Real immunizations

  @Test(.enabled(if: Synthea.isThere))
  func theMostRecentOfRealImmunizations() async throws {
    try await withClinic { clinic, pool in
      let given = try await Synthea.immunizations()
      #expect(given.count == 7389)
      try await pool.withConnection { connection in
        try await connection.script(
          "INSERT INTO clinic.products SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'CVX ' || n, 365 FROM generate_series(0, 300) AS n"
        )
        try await connection.copyIn(
          "COPY clinic.immunizations (id, organization_id, patient_id, product_id, given_on) FROM STDIN"
        ) { copy in
          for line in given {
            try await copy.write(row: [
              line.id, Practice.id(1).uuidString, line.patient, line.product, line.day,
            ])
          }
        }
      }
      let rows = try await clinic.projector.project(
        MostRecentImmunization.self, lens: .where(Of.organization, is: Practice.id(1))
      ).all()
      // By hand: the last of each patient and vaccine.
      var last: [String: Synthea.Immunization] = [:]
      for line in given {
        let key = "\(line.patient) \(line.product)"
        if let there = last[key], (there.day, there.id) > (line.day, line.id) { continue }
        last[key] = line
      }
      #expect(rows.count == last.count)
      #expect(
        Set(rows.map { $0.immunizationID.uuidString.lowercased() }) == Set(last.values.map(\.id)))
    }
  }

  // MARK: Parts

  private func withClinic(_ body: (Clinic, Pool) async throws -> Void) async throws {
    try await TestDatabase.migrated(size: 12) { database, _ in
      try await database.pool.withConnection { try await $0.script(Practice.schema) }
      let clinic = try Clinic(
        database.pool, timeZone: "Asia/Kolkata",
        policy: JobPolicy(backoff: .milliseconds(10)), chunkSize: 7, today: { Self.today })
      try await clinic.projector.deploy()
      try await body(clinic, database.pool)
    }
  }

  private func withWorker(
    _ clinic: Clinic, send: @escaping @Sendable (Reminder) async throws -> Void,
    _ body: () async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await clinic.worker(
          .init(queues: ["projections", "actions", "default"], pollInterval: .milliseconds(10)),
          send: send
        ).run()
      }
      try await body()
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  private func untilIdle(_ clinic: Clinic, _ pool: Pool) async throws {
    let busy: Query =
      "SELECT EXISTS (SELECT FROM rollup.jobs WHERE state IN ('blocked', 'waiting', 'taken'))"
    while try await pool.withConnection({ try await $0.query(busy).only(Bool.self) }) {
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private func outstanding(_ pool: Pool, _ relation: String, _ binds: [Bind] = []) async throws
    -> [String]
  {
    try await pool.withConnection {
      try await $0.query(
        Query(
          text: """
            SELECT patient_id || ' ' || protocol_id || ' ' || due_on FROM \(relation)
            WHERE organization_id = '\(Practice.id(1))' ORDER BY 1
            """, binds: binds)
      ).map { try $0.decode(String.self) }
    }
  }
}

/// The sample of real immunizations, where it is there.
enum Synthea {
  struct Immunization {
    let id: String
    let patient: String
    let product: String
    let day: String
  }

  private static let file = "/work/shared/data/synthea-r4/Immunization.ndjson.gz"
  static var isThere: Bool { FileManager.default.fileExists(atPath: file) }

  static func immunizations() async throws -> [Immunization] {
    struct Resource: Decodable {
      struct Code: Decodable { let coding: [Coding] }
      struct Coding: Decodable { let code: String }
      struct Reference: Decodable { let reference: String }
      let id: String
      let vaccineCode: Code
      let patient: Reference
      let occurrenceDateTime: String
    }
    return try await shell("gzip -dc \(file)").split(separator: "\n").map { line in
      let it = try JSONDecoder().decode(Resource.self, from: Data(line.utf8))
      return Immunization(
        id: it.id, patient: String(it.patient.reference.dropFirst("Patient/".count)),
        product: Practice.id(Int(it.vaccineCode.coding[0].code) ?? 0).uuidString.lowercased(),
        day: String(it.occurrenceDateTime.prefix(10)))
    }
  }
}
