import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// The reminders at work: one declaration, three uses.
public struct Clinic: Sendable {
  public let projector: Projector
  public let jobs: Jobs

  /// - Throws: ``GraphError`` if the declarations did not fit together.
  public init(
    _ pool: Pool, timeZone: String, policy: JobPolicy = JobPolicy(), chunkSize: Int = 1000,
    today: (@Sendable () -> CalendarDay)? = nil
  ) throws {
    let graph = try Graph([TriggeredCadence.projection])
    projector = Projector(pool, graph, timeZone: timeZone, chunkSize: chunkSize, today: today)
    jobs = Jobs(pool, policy: policy)
  }

  // MARK: The panel

  /// What a patient is due for, fresh: for the panel that a veterinarian has open.
  public func panel(of patient: UUID) async throws -> [OutstandingProtocol] {
    try await projector.project(OutstandingProtocol.self, lens: .where(Of.patient, is: patient))
      .all()
  }

  // MARK: The night

  /// The reminders of an organization, every night, by whichever worker is there.
  public func scheduleNightly(for organization: UUID, at cron: Cron, timeZone: String) async throws
  {
    try await Schedules(jobs, timeZone: timeZone)
      .set("reminders of \(organization)", cron, nightlyJob(for: organization))
  }

  public func nightlyJob(for organization: UUID) throws -> NewJob {
    try QueueEngine(jobs).job(
      for: TriggeredCadence.projection, lens: .where(Of.organization, is: organization))
  }

  /// A worker that derives, and calls `send` with each reminder until it succeeds; `send` may be called again for a
  /// reminder it has sent, with the same key.
  /// - Parameter name: the worker's, by which the sessions of its pool record themselves too.
  public func worker(
    _ settings: Worker.Settings, named name: String = Worker.newName(),
    send: @escaping @Sendable (Reminder) async throws -> Void
  ) -> Worker {
    var handlers = QueueEngine(jobs).handlers(for: projector)
    handlers["action send-reminder"] = { claim in try await send(claim.job.decode()) }
    return Worker(jobs, name: name, settings: settings, handlers: handlers)
  }

  /// A protocol was switched on or off: the whole organization is derived again, as a job in chunks.
  public func setEnabled(_ isEnabled: Bool, protocol id: UUID, of organization: UUID) async throws
    -> any Undertaking
  {
    try await projector.pool.withConnection { connection in
      _ = try await connection.execute(
        "UPDATE clinic.protocols SET is_enabled = \(isEnabled) WHERE id = \(id)")
    }
    return try await projector.begin(
      OutstandingProtocol.projection, lens: .where(Of.organization, is: organization),
      on: QueueEngine(jobs))
  }

  // MARK: The dashboard

  /// How an organization stands with each of its protocols: a plain query over what is there.
  /// - Parameter search: only of patients whose name contains it.
  public func compliance(of organization: UUID, search: String = "") async throws -> [Compliance] {
    let today = projector.present
    return try await projector.pool.withConnection { connection in
      try await connection.prepared(
        """
        SELECT p.name, count(*) FILTER (WHERE o.due_on < \(today)),
          count(*) FILTER (WHERE o.due_on >= \(today) AND o.due_on < \(today) + 30),
          count(*) FILTER (WHERE o.due_on >= \(today) + 30)
        FROM clinic.outstanding_protocols AS o
        JOIN clinic.protocols AS p ON p.id = o.protocol_id
        JOIN clinic.patients AS k ON k.id = o.patient_id
        WHERE o.organization_id = \(organization) AND k.name ILIKE '%' || \(search) || '%'
        GROUP BY p.id
        ORDER BY p.name
        """
      ).map { row in
        let (name, overdue, due, completed) = try row.decode((String, Int, Int, Int).self)
        return Compliance(protocolName: name, overdue: overdue, due: due, completed: completed)
      }
    }
  }
}

/// What the sender of a reminder is given.
public struct Reminder: Decodable, Sendable {
  /// The same for the same reminder, however often it is handed over.
  public let key: String
  public let row: Row

  public struct Row: Decodable, Sendable {
    public let patientID: UUID
    public let protocolID: UUID
    public let dueOn: String

    enum CodingKeys: String, CodingKey {
      case patientID = "patient_id"
      case protocolID = "protocol_id"
      case dueOn = "due_on"
    }
  }
}

/// Patients of an organization by how they stand with a protocol.
public struct Compliance: Sendable, Hashable {
  public let protocolName: String
  public let overdue: Int
  /// Within 30 days.
  public let due: Int
  public let completed: Int
}
