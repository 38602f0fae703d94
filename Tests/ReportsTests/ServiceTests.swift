import Foundation
import Glibc
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport
import Testing

@testable import ReportService

/// The dashboard as whoever runs it meets it.
@Suite struct ServiceTests {
  @Test func itSaysHowItIs() async throws {
    try await ServedExample.with { service, _ in
      #expect(try await service.ask("/health").status == 200)
      #expect(try await service.ask("/ready").body == "ready\n")
      let metrics = try await service.ask("/metrics")
      #expect(metrics.body.contains("report_requests_total{route=\"/health\",status=\"200\"} 1"))
      let asked = try await service.ask("/api/v1/me")
      let id = try #require(asked.headers["x-request-id"])
      let log = try String(contentsOf: service.log, encoding: .utf8)
      for line in log.split(separator: "\n") {
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
      }
      #expect(log.contains("\"request_id\":\"\(id)\"") && asked.body.contains(id))
    }
  }

  /// While the database is away it says so, and when it is back it is found again.
  @Test func aDatabaseThatGoesIsSaidToBeAwayAndFoundAgain() async throws {
    try await ServedExample.with { service, served in
      let secret = try await served.token(.all)
      #expect(try await service.ask("/api/v1/me", token: secret).status == 200)
      let name = try await served.owner.pool.withConnection {
        try await $0.query("SELECT current_database()::text").only(String.self)
      }
      let elsewhere = try await Connection.connect(
        ConnectionSettings(
          conninfo: served.owner.url.replacing("/\(name)?", with: "/postgres?")))
      try await elsewhere.execute(
        "ALTER DATABASE \(identifier: name) WITH ALLOW_CONNECTIONS false")
      // A connection that is being made meanwhile is ended by the second time.
      for _ in 0..<2 {
        try await elsewhere.execute(
          "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = \(name)")
      }
      #expect(try await service.ask("/health").status == 200)
      for path in ["/ready", "/", "/api/v1/me"] {
        let answer = try await service.ask(path, token: secret)
        #expect(answer.status == 503 && answer.headers["retry-after"] != nil, "\(path)")
        #expect(answer.body.contains("does not answer"), "\(path)")
      }
      try await elsewhere.execute(
        "ALTER DATABASE \(identifier: name) WITH ALLOW_CONNECTIONS true")
      await elsewhere.close()
      var status = 503
      while status == 503 { status = try await service.ask("/api/v1/me", token: secret).status }
      #expect(status == 200)
    }
  }

  /// Who is being answered is answered, and then the service ends.
  @Test func whatIsBeingAnsweredWhenItIsToldToStopIsAnswered() async throws {
    try await ServedExample.with { service, served in
      let secret = try await served.token(.all)
      let blocker = try await served.owner.connect()
      try await blocker.script("BEGIN; LOCK TABLE rollup.published_figures")
      async let answer = service.ask("/?period=2024Q1", token: secret)
      let waiting: Query = """
        SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
        WHERE NOT l.granted AND d.datname = current_database()
        """
      while try await served.owner.pool.withConnection({
        try await $0.query(waiting).only(Int.self)
      }) == 0 { try await Task.sleep(for: .milliseconds(10)) }
      kill(service.process, SIGTERM)
      try await Task.sleep(for: .milliseconds(200))
      await #expect(throws: RunningService.Failure.self) { _ = try await service.ask("/health") }
      try await blocker.script("ROLLBACK")
      await blocker.close()
      let found = try await answer
      #expect(found.status == 200 && found.body.contains("2024Q1 is closed"))
    }
  }

  @Test func whoAsksTooOftenIsToldToWait() async throws {
    try await ServedExample.with(["--rate-limit", "1"]) { service, _ in
      var last = try await service.ask("/health")
      for _ in 0..<30 where last.status == 200 { last = try await service.ask("/health") }
      #expect(last.status == 429)
      #expect(last.headers["retry-after"].flatMap { Int($0) } ?? 0 > 0)
    }
  }

  /// Behind a proxy each address has its own limit, and cookies are for TLS alone.
  @Test func aProxySaysWhoAsks() async throws {
    try await ServedExample.with(["--rate-limit", "1", "--behind-proxy"]) { service, _ in
      for number in 0..<40 {
        let answer = try await service.ask(
          "/health", headers: ["X-Forwarded-For: 203.0.113.1, 198.51.100.\(number)"])
        #expect(answer.status == 200)
      }
      let login = try await service.ask("/login", headers: ["X-Forwarded-For: 203.0.113.9"])
      #expect(login.headers["set-cookie"]?.contains("__Host-form=") == true)
      #expect(login.headers["set-cookie"]?.contains("Secure") == true)
      #expect(login.headers["strict-transport-security"] != nil)
    }
  }

  /// Without a proxy that is known of, anybody can write that header.
  @Test func whoSaysThatHeIsOthersIsStillOne() async throws {
    try await ServedExample.with(["--rate-limit", "1"]) { service, _ in
      var statuses: Set<Int> = []
      for number in 0..<40 {
        statuses.insert(
          try await service.ask("/health", headers: ["X-Forwarded-For: 198.51.100.\(number)"])
            .status)
      }
      #expect(statuses == [200, 429])
      let log = try String(contentsOf: service.log, encoding: .utf8)
      #expect(!log.contains("198.51.100"))
    }
  }

  /// One connection to the database, and sixteen that are answered or wait for it: all others are told at once.
  @Test func whenTooManyWaitOthersAreToldToComeAgain() async throws {
    try await ServedExample.with(["--connections", "1"]) { service, served in
      let secret = try await served.token(.all)
      let blocker = try await served.owner.connect()
      try await blocker.script("BEGIN; LOCK TABLE rollup.published_figures")
      let answers = try await withThrowingTaskGroup(of: RunningService.Answer.self) { group in
        for number in 0..<40 {
          group.addTask {
            try await service.ask("/?period=2024Q1&facility=\(number)", token: secret)
          }
        }
        var answers: [RunningService.Answer] = []
        while answers.count < 24, let answer = try await group.next() { answers.append(answer) }
        #expect(try await service.ask("/health").status == 200)
        try await blocker.script("ROLLBACK")
        for try await answer in group { answers.append(answer) }
        return answers
      }
      await blocker.close()
      let refused = answers.filter { $0.status == 503 }
      #expect(refused.count >= 24)
      #expect(
        refused.allSatisfy {
          $0.body.contains("Too many") && $0.headers["retry-after"] == "3"
        })
      #expect(try await service.ask("/?period=2024Q1", token: secret).status == 200)
    }
  }

  /// Connections are bounded; who comes when all are taken is answered when one is free.
  @Test func whoComesWhenAllConnectionsAreTakenWaits() async throws {
    try await ServedExample.with(["--clients", "2"]) { service, _ in
      let port = try #require(service.address.split(separator: ":").last.flatMap { UInt16($0) })
      let held = try (0..<3).map { _ in try Self.connect(port) }
      try await Task.sleep(for: .milliseconds(300))
      await #expect(throws: RunningService.Failure.self) {
        _ = try await service.ask("/health", options: ["--max-time", "1"])
      }
      for socket in held { close(socket) }
      #expect(try await service.ask("/health", options: ["--max-time", "30"]).status == 200)
    }
  }

  /// A connection that nothing is said on.
  private static func connect(_ port: UInt16) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let outcome = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(outcome == 0)
    return descriptor
  }

  @Test func itServesByTLS() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await shell(
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout '\(folder)/key.pem' -out '\(folder)/chain.pem'"
    )
    let files = ["--certificate", "\(folder)/chain.pem", "--key", "\(folder)/key.pem"]
    try await ServedExample.with(files) { service, served in
      #expect(service.address.hasPrefix("https://"))
      let secret = try await served.token(.all)
      let answer = try await service.ask("/api/v1/me", token: secret, options: ["--insecure"])
      #expect(answer.status == 200)
      await #expect(throws: RunningService.Failure.self) { _ = try await service.ask("/health") }
    }
    try await ServedExample.database { served in
      let outcome = await run([
        RunningService.program, "serve", "--port", "0", "--certificate", "\(folder)/key.pem",
        "--key", "\(folder)/chain.pem", "--database-url", ServedDatabase.address(of: served.owner),
      ])
      #expect(outcome.status == 65 && outcome.error.contains("PEM"), "\(outcome.error)")
    }
  }

  @Test func tokensAreNotSentInTheClear() async throws {
    for arguments in [["--host", "0.0.0.0"], ["--certificate", "chain.pem"]] {
      let outcome = await run([RunningService.program, "serve"] + arguments)
      #expect(outcome.status == 64 && outcome.error.contains("--key"), "\(outcome.error)")
    }
  }

  /// A mistake in a page shows nothing: what reads for it is refused by the database.
  @Test func withoutTheServicesOwnChecksTheDatabaseRefuses() async throws {
    try await ServedExample.database { served in
      let reader = Reader(pool: served.pool)
      let secret = try await served.token(ServedExample.bathinda)
      let figures = try await served.token(ServedExample.bathinda, lists: false)
      for period in ["2024Q1", "2024Q2"] {
        let one = try Period(parsing: period)
        let foreign = ReportQuestion(
          one...one, region: RegionChoice(state: "Punjab", district: "Mansa"))
        await #expect(throws: UnknownRegion.self) {
          _ = try await reader.read(secret) { tx in
            try await DistrictBPReport.report.make(foreign, in: tx)
          }
        }
        let everything = ReportQuestion(one)
        do {
          let table = try await reader.read(secret) { tx in
            try await DistrictBPReport.report.make(everything, in: tx)
          }
          // What was published is there as far as the token goes; what is counted is refused.
          #expect(period == "2024Q1")
          let place = try #require(table.place(of: "district"))
          #expect(table.rows.allSatisfy { [.empty, .text("Bathinda")].contains($0.cells[place]) })
        } catch let error as PostgresError {
          #expect(period == "2024Q2" && error.sqlState == .insufficientPrivilege)
        }
        let patients = ReportQuestion(
          one...one, region: RegionChoice(district: "Bathinda"), patients: .missedVisit)
        await #expect(throws: PostgresError.self) {
          _ = try await reader.list(DistrictBPReport.report, patients, figures)
        }
      }
      await #expect(throws: PostgresError.self) {
        _ = try await reader.read("nonsense") { tx in try await ReportService.Calendar(tx) }
      }
    }
  }
}
