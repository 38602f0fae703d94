import Foundation
import Glibc
import Hypertension
import Postgres
import RollupStore
import TestSupport
import Testing

@testable import ReportService

/// What comes over the network, slowly, broken or from whom it says.
@Suite struct ConnectionTests {
  /// A connection as a program has it that writes what it likes.
  private final class Socket: Sendable {
    private let descriptor: Int32

    init(_ service: RunningService) throws {
      let port = try #require(service.address.split(separator: ":").last.flatMap { UInt16($0) })
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
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
    }

    func write(_ text: String) { _ = send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) }

    /// What is answered, until it contains something or the connection ends; nil after a minute.
    func read(until wanted: String) -> String {
      var time = timeval(tv_sec: 60, tv_usec: 0)
      setsockopt(
        descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
      var answer = ""
      var bytes = [UInt8](repeating: 0, count: 4096)
      while !answer.contains(wanted) {
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { break }
        answer += String(decoding: bytes.prefix(count), as: UTF8.self)
      }
      return answer
    }

    func close() { _ = Glibc.close(descriptor) }
  }

  private static let slowLogin =
    "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 90\r\n\r\nform="

  /// 140 forms that do not come hold no place: others are answered meanwhile, and those are told in the end.
  @Test func slowFormsKeepNobodyOut() async throws {
    try await ServedExample.with(["--rate-limit", "0"]) { service, served in
      let secret = try await served.token(.all)
      let slow = try (0..<140).map { _ in try Socket(service) }
      for socket in slow { socket.write(Self.slowLogin) }
      for path in ["/", "/api/v1/me", "/login", "/ready", "/health"] {
        let answer = try await service.ask(path, token: secret)
        #expect(answer.status == 200, "\(path)")
      }
      #expect(slow[0].read(until: "\r\n").hasPrefix("HTTP/1.1 408"))
      for socket in slow { socket.close() }
      #expect(try await !log(service).contains("\"level\":\"error\""))
    }
  }

  /// When every connection to the database waits, it is still said how the service is.
  @Test func itSaysHowItIsWhenAllPlacesAreTaken() async throws {
    try await ServedExample.with(["--connections", "1"]) { service, served in
      let secret = try await served.token(.all)
      let blocker = try await served.owner.connect()
      try await blocker.script("BEGIN; LOCK TABLE rollup.published_figures")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<20 {
          group.addTask {
            _ = try await service.ask(
              "/?period=2024Q1&sort=under_care&facility=\(number)", token: secret)
          }
        }
        let busy = try await service.ask("/metrics")
        #expect(busy.body.contains("report_requests_in_flight"))
        for path in ["/ready", "/health"] {
          #expect(try await service.ask(path).status == 200, "\(path)")
        }
        try await blocker.script("ROLLBACK")
        try await group.waitForAll()
      }
      await blocker.close()
    }
  }

  @Test func noAddressTakesThePlacesOfOthers() async throws {
    let capacity = Capacity(4)
    #expect(capacity.take("a") && capacity.take("a") && !capacity.take("a"))
    #expect(capacity.take("b") && capacity.take(nil) && !capacity.take("c"))
    capacity.giveBack("a")
    #expect(capacity.take("c") && !capacity.take("a"))
  }

  @Test func anAddressIsReadAsProxiesWriteIt() {
    for (written, text, group) in [
      ("203.0.113.10", "203.0.113.10", "203.0.113.10"),
      (" 203.0.113.10:40001 ", "203.0.113.10", "203.0.113.10"),
      ("[2001:db8::1]:40001", "2001:db8:0:0:0:0:0:1", "2001:db8:0:0::/64"),
      ("[2001:db8::2]", "2001:db8:0:0:0:0:0:2", "2001:db8:0:0::/64"),
      ("2001:db8::3", "2001:db8:0:0:0:0:0:3", "2001:db8:0:0::/64"),
      ("fe80::1%eth0", "fe80:0:0:0:0:0:0:1", "fe80:0:0:0::/64"),
      ("::ffff:203.0.113.10", "203.0.113.10", "203.0.113.10"),
    ] {
      let address = ClientAddress(written)
      #expect(address?.text == text && address?.group == group, "\(written)")
    }
    for written in [
      "", "unknown", "_hidden", "203.0.113", "1.2.3.4.5", String(repeating: "9", count: 6000),
    ] {
      #expect(ClientAddress(written) == nil, "\(written.prefix(20))")
    }
  }

  /// A proxy that writes another port for each connection has one visitor, and so has a network of one household.
  @Test func aLimitIsOfAnAddressWhateverThePort() async throws {
    try await ServedExample.with(["--rate-limit", "20", "--behind-proxy"]) { service, _ in
      for form in ["203.0.113.10:%", "[2001:db8::1]:%", "2001:db8:0:1::%", "unknown, who-%"] {
        var statuses: [Int] = []
        for number in 1...40 {
          statuses.append(
            try await service.ask(
              "/login",
              headers: ["X-Forwarded-For: \(form.replacing("%", with: "\(1000 + number)"))"]
            ).status)
        }
        #expect(statuses.contains(429), "\(form)")
      }
      let log = try await log(service)
      #expect(log.contains("\"client\":\"203.0.113.10\"") && !log.contains("203.0.113.10:"))
    }
  }

  /// What is no HTTP, what is cut off and what waits to be asked: each is answered, and none is a mistake of ours.
  @Test func brokenRequestsAreNoErrorsOfOurs() async throws {
    try await ServedExample.with { service, _ in
      let start = "POST /login HTTP/1.1\r\nHost: x\r\n"
      for (sent, status) in [
        (start + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffffff\r\n", "400"),
        (start + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "400"),
        (start + "Content-Length: x\r\n\r\n", "400"),
        (start + "Content-Length: 999999\r\n\r\n", "413"),
        (start + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", "417"),
      ] {
        let socket = try Socket(service)
        socket.write(sent)
        #expect(socket.read(until: "\r\n").hasPrefix("HTTP/1.1 \(status)"), "\(sent)")
        socket.close()
      }
      let polite = try Socket(service)
      polite.write(start + "Expect: 100-continue\r\nContent-Length: 6\r\n\r\n")
      #expect(polite.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
      polite.write("form=x")
      #expect(polite.read(until: "\r\n").hasPrefix("HTTP/1.1 403"))
      polite.close()
      for _ in 0..<5 {
        let gone = try Socket(service)
        gone.write(Self.slowLogin)
        gone.close()
      }
      while try await log(service).matches(of: /"route":"\/login"/).count < 10 {
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(try await !log(service).contains("\"level\":\"error\""))
    }
  }

  // MARK: Beginning, renewing, ending

  /// A database that is not migrated is no reason not to begin, and every page says what is missing.
  @Test func aDatabaseThatIsNotMigratedIsWaitedFor() async throws {
    try await ServedExample.database { _ in
      try await withDatabase { url in
        let login = url.replacing("user=postgres", with: "user=\(ServedDatabase.login)")
        try await RunningService.with(login) { service in
          for path in ["/", "/login", "/recall", "/ready", "/api/v1/me", "/api/v1/openapi.json"] {
            let answer = try await service.ask(path, token: "bp_x")
            #expect(answer.status == 503, "\(path)")
            #expect(answer.body.contains("rollup migrate"), "\(path)")
          }
          #expect(try await service.ask("/health").status == 200)
          let lines = try await log(service).split(separator: "\n")
          #expect(lines.contains { $0.contains("\"level\":\"warning\"") && $0.contains("migrate") })
          let pool = Pool(ConnectionSettings(conninfo: url), size: 2)
          _ = try await Migrator.programme.run(pool)
          await pool.close()
          #expect(try await service.ask("/ready").status == 200)
          #expect(try await service.ask("/login").status == 200)
        }
      }
    }
  }

  private func makeCertificate(_ folder: String, named name: String) async throws {
    try await shell(
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=\(name) -keyout '\(folder)/key.pem' -out '\(folder)/chain.pem'"
    )
  }

  @Test func newCertificatesAreTakenWithoutAnEnd() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "renewed-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await makeCertificate(folder, named: "first")
    let files = ["--certificate", "\(folder)/chain.pem", "--key", "\(folder)/key.pem"]
    try await ServedExample.with(files) { service, _ in
      func subject() async throws -> String {
        let port = service.address.split(separator: ":").last ?? ""
        return try await shell(
          "openssl s_client -connect 127.0.0.1:\(port) </dev/null 2>/dev/null | openssl x509 -noout -subject"
        )
      }
      #expect(try await subject().contains("first"))
      try await makeCertificate(folder, named: "second")
      kill(service.process, SIGHUP)
      while try await !subject().contains("second") { try await Task.sleep(for: .milliseconds(50)) }
      // Broken files are said, and change nothing.
      try Data("no certificate".utf8).write(to: URL(filePath: "\(folder)/chain.pem"))
      kill(service.process, SIGHUP)
      while try await !log(service).contains("the former is shown on") {
        try await Task.sleep(for: .milliseconds(50))
      }
      #expect(try await subject().contains("second"))
      #expect(try await service.ask("/health", options: ["--insecure"]).status == 200)
    }
  }

  /// Without a certificate there is nothing to renew: the terminal is gone, and what is being answered is answered.
  @Test func aTerminalThatGoesEndsItAsATerminationDoes() async throws {
    try await ServedExample.with { service, served in
      let secret = try await served.token(.all)
      let blocker = try await served.owner.connect()
      try await blocker.script("BEGIN; LOCK TABLE rollup.published_figures")
      async let answer = service.ask("/?period=2024Q1", token: secret)
      while try await served.owner.pool.withConnection({
        try await $0.query(
          "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database WHERE NOT l.granted AND d.datname = current_database()"
        ).only(Int.self)
      }) == 0 { try await Task.sleep(for: .milliseconds(10)) }
      kill(service.process, SIGHUP)
      try await Task.sleep(for: .milliseconds(200))
      try await blocker.script("ROLLBACK")
      await blocker.close()
      #expect(try await answer.status == 200)
    }
  }

  // MARK: What it says of itself

  @Test func numbersAreNumbers() async throws {
    try await ServedExample.with { service, _ in
      _ = try await service.ask("/api/v1/me")
      let log = try await log(service)
      #expect(log.firstMatch(of: /"ms":[0-9]+,/) != nil && log.contains("\"status\":401"))
      let metrics = try await service.ask("/metrics").body
      let named = metrics.split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
        $0.prefix { $0 != "{" && $0 != " " }
      }
      for name in Set(named) {
        let family = name.replacing(/_(bucket|sum|count)$/, with: "")
        #expect(metrics.contains("# HELP \(family) ") && metrics.contains("# TYPE \(family) "))
      }
      for name in [
        "report_build_info{version=\"1.", "process_resident_memory_bytes ",
        "process_cpu_seconds_total ", "process_open_fds ", "process_threads ",
        "process_start_time_seconds ",
      ] {
        #expect(metrics.contains("\n\(name)"), "\(name)")
      }
    }
  }

  private func log(_ service: RunningService) async throws -> String {
    try String(contentsOf: service.log, encoding: .utf8)
  }
}
