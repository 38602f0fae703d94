import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport
import Testing

/// The dashboard as a browser and a program meet it.
@Suite struct DashboardTests {
  private func example(
    _ arguments: [String] = [], _ body: (RunningService, ServedDatabase) async throws -> Void
  ) async throws {
    try await ServedExample.with(arguments, body)
  }

  private let bathinda = ServedExample.bathinda
  private static let facility = ServedExample.facility
  private static let foreign = ServedExample.foreign

  // MARK: Pages

  @Test func oneLogsInAndGoesFromTheOverviewToAFacility() async throws {
    try await example { service, served in
      let secret = try await served.token(.all)
      let first = try await service.ask("/login")
      #expect(first.status == 200)
      let form = try #require(first.body.firstMatch(of: /name="form" value="([0-9a-f]+)"/)).output.1
      let given = try #require(first.headers["set-cookie"])
      #expect(given.contains("HttpOnly") && given.contains("SameSite=Strict"))

      let wrong = try await service.ask(
        "/login", headers: ["Cookie: form=\(form)"],
        form: ["form": String(form), "token": "nonsense"])
      #expect(wrong.status == 403 && wrong.body.contains("unknown, expired or revoked"))
      let elsewhere = try await service.ask(
        "/login", form: ["form": String(form), "token": secret])
      #expect(elsewhere.status == 403 && elsewhere.headers["set-cookie"] == nil)
      let right = try await service.ask(
        "/login", headers: ["Cookie: form=\(form)"], form: ["form": String(form), "token": secret])
      #expect(right.status == 303 && right.headers["location"] == "/")
      // Where one wanted to go, and nowhere else.
      for (next, location) in [
        ("/?state=A%26B&period=2024Q1", "/?state=A%26B&period=2024Q1"),
        ("//elsewhere.example/", "/"),
        ("https://elsewhere.example/?", "/"), ("/?a=b\r\nX: y", "/?a=b%0D%0AX%3A%20y"),
      ] {
        let sent = try await service.ask(
          "/login", headers: ["Cookie: form=\(form)"],
          form: ["form": String(form), "token": secret, "next": next])
        #expect(sent.headers["location"] == location)
      }
      // The order of a cookie's attributes is nobody's.
      let cookie = try #require(right.headers["set-cookie"])
      #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"))
      let login = try #require(cookie.firstMatch(of: /^login=([^;]+)/)).output.1
      let seconds = try #require(cookie.firstMatch(of: /Max-Age=([0-9]+)/)).output.1
      // The browser is given no token, and nothing that lasts.
      #expect(login != secret && (1...43_200).contains(Int(seconds) ?? 0))
      let cookies = "Cookie: form=\(form); login=\(login)"

      let overview = try await service.ask("/?period=2024Q1", headers: [cookies])
      #expect(overview.status == 200)
      var page = overview.body
      for (name, mark) in [
        ("Punjab", "Districts"), ("Bathinda", "Facilities"), ("=CHC", "Whom to call"),
      ] {
        let link = try #require(
          page.firstMatch(of: try Regex("<a href=\"(/\\?[^\"]*)\">\(name)</a>")), "\(name)")
        let path = String(try #require(link.output[1].substring)).replacing("&amp;", with: "&")
        let next = try await service.ask(path, headers: [cookies])
        #expect(next.status == 200, "\(path)")
        #expect(next.body.contains("<h1>\(name)</h1>") && next.body.contains(mark), "\(name)")
        #expect(next.body.contains("2024Q1 is closed: edition 1."))
        page = next.body
      }
      let out = try await service.ask("/logout", headers: [cookies], form: ["form": String(form)])
      #expect(out.status == 303 && out.headers["set-cookie"]?.contains("login=;") == true)
      // Who has kept the cookie has nothing; the token holds on.
      #expect(try await service.ask("/?period=2024Q1", headers: [cookies]).status == 303)
      #expect(try await service.ask("/?period=2024Q1", token: secret).status == 200)
    }
  }

  /// The page says what the report says, published beside known now, with the edition's digest.
  @Test func aPageShowsTheReportsFigures() async throws {
    try await example { service, served in
      let secret = try await served.token(bathinda)
      let editions = try await RollupStore(served.owner.pool, Rollups.catalog).editions()
      let closed = try await service.ask("/?period=2024Q1", token: secret)
      #expect(closed.status == 200)
      #expect(closed.body.contains(try #require(editions.first).digest))
      #expect(closed.body.contains("Known now"))
      var question = ReportQuestion(try Period(parsing: "2024Q2"))
      question.region = RegionChoice(state: "Punjab", district: "Bathinda")
      let table = try await DistrictBPReport.report.make(question, served.owner.pool)
      let open = try await service.ask("/?period=2024Q2", token: secret)
      #expect(open.body.contains("2024Q2 is open."))
      for name in ["controlled_rate", "missed_visit_rate", "under_care"] {
        let place = try #require(table.place(of: name))
        let shown =
          switch table.rows[0].cells[place] {
          case .integer(let number): "<dd>\(number)</dd>"
          case .rate(let tenths): "<dd>\(tenths / 10).\(tenths % 10) %</dd>"
          default: "–"
          }
        #expect(open.body.contains(shown), "\(name)")
      }
      #expect(open.body.contains("<svg") || open.body.contains("Trend"))
    }
  }

  @Test func noPageHasAScriptOrRunsOne() async throws {
    try await example { service, served in
      let secret = try await served.token(.all)
      for path in [
        "/", "/?period=2024Q1", "/?state=Punjab", "/?facility=\(Self.facility)&period=2024-06",
        "/recall?state=Punjab", "/?state=Punjab&period=2024Q1&view=compare&sort=under_care-up",
        "/login", "/nowhere", "/?period=nonsense", "/health",
        "/api/v1/me", "/api/v1/openapi.json", "/style.css",
      ] {
        let answer = try await service.ask(path, token: secret)
        #expect(!answer.body.contains("<script") && !answer.body.contains(" style="), "\(path)")
        #expect(
          answer.headers["content-security-policy"]?.hasPrefix("default-src 'none';") == true)
        #expect(answer.headers["x-content-type-options"] == "nosniff")
        #expect(answer.headers["referrer-policy"] == "no-referrer")
        #expect(answer.headers["x-request-id"]?.isEmpty == false)
        #expect(answer.status < 500, "\(path)")
      }
    }
  }

  // MARK: Who may see what

  private static let pages = [
    "/", "/?period=2024Q1", "/?state=Punjab&district=Mansa", "/?facility=\(foreign)", "/recall",
    "/recall?facility=\(foreign)",
  ]
  private static let calls = [
    "/api/v1/me", "/api/v1/periods", "/api/v1/facilities", "/api/v1/reports",
    "/api/v1/reports/district-bp?period=2024Q1", "/api/v1/reports/district-bp?period=2024Q2",
    "/api/v1/reports/district-bp?period=2024Q2&state=Punjab&district=Mansa",
    "/api/v1/reports/trend?period=2024Q2&facility=\(foreign)",
    "/api/v1/reports/facilities?period=2024Q2&district=Mansa",
    "/api/v1/lists/recall?district=Mansa",
    "/api/v1/lists/patients?period=2024Q2&district=Mansa&figure=missed_visit",
  ]

  @Test func withoutATokenThatHoldsNothingIsShown() async throws {
    try await example { service, served in
      let revoked = try await served.tokenAndID(.all)
      _ = try await AccessTokens(served.owner.pool).revoke(revoked.id)
      let expired = try await served.tokenAndID(.all)
      try await served.owner.pool.withConnection {
        try await $0.execute("UPDATE rollup.tokens SET expires_at = now() WHERE id = \(expired.id)")
      }
      for token in [nil, "", "nonsense", revoked.secret, expired.secret] {
        for path in Self.pages {
          let answer = try await service.ask(path, token: token)
          #expect(answer.status == 303, "\(path)")
          #expect(answer.headers["location"]?.hasPrefix("/login?next=%2F") == true, "\(path)")
          #expect(!answer.body.contains("Punjab"))
        }
        for path in Self.calls {
          let answer = try await service.ask(path, token: token)
          #expect(answer.status == 401, "\(path)")
          #expect(!answer.body.contains("Punjab"))
        }
      }
    }
  }

  @Test func ofAnotherDistrictNothingIsShown() async throws {
    try await example { service, served in
      let secret = try await served.token(bathinda)
      for path in Self.pages + Self.calls {
        let answer = try await service.ask(path, token: secret)
        #expect([200, 403, 404].contains(answer.status), "\(path) \(answer.status)")
        if path.contains("Mansa") || path.contains(Self.foreign) {
          #expect([403, 404].contains(answer.status), "\(path)")
        }
        #expect(!answer.body.contains("SDH"), "\(path)")
      }
      let reads = try await AccessTokens(served.owner.pool).reads(limit: 100)
      #expect(reads.allSatisfy { $0.readAt == nil || $0.region.contains("Bathinda") })
    }
  }

  @Test func aListIsShownAndOnRecordAndNotToATokenForFigures() async throws {
    try await example { service, served in
      let figures = try await served.token(bathinda, lists: false)
      for path in ["/recall", "/api/v1/lists/recall?district=Bathinda"] {
        #expect(try await service.ask(path, token: figures).status == 403)
      }
      #expect(try await !service.ask("/", token: figures).body.contains("/recall"))
      #expect(try await AccessTokens(served.owner.pool).reads(limit: 100).isEmpty)

      let (secret, id) = try await served.tokenAndID(bathinda)
      let page = try await service.ask("/recall", token: secret)
      #expect(page.status == 200 && page.headers["cache-control"] == "no-store")
      let file = try await service.ask(
        "/api/v1/lists/patients?period=2024Q1&figure=missed_visit&format=csv", token: secret)
      #expect(file.status == 200)
      let reads = try await AccessTokens(served.owner.pool).reads(token: id, limit: 100)
      #expect(reads.map(\.list) == ["published patients", "recall"])
      #expect(reads.allSatisfy { $0.readAt != nil })
      // The log has ids of requests and routes, no secrets and nobody's data.
      let log = try String(contentsOf: service.log, encoding: .utf8)
      #expect(!log.contains(secret) && !log.contains("Bathinda") && log.contains("\"route\""))
    }
  }

  // MARK: The API

  @Test func everyFormatIsTheReport() async throws {
    try await example { service, served in
      let secret = try await served.token(bathinda)
      var question = ReportQuestion(try Period(parsing: "2024Q1"))
      question.region = RegionChoice(state: "Punjab", district: "Bathinda")
      let table = try await DistrictBPReport.report.make(question, served.owner.pool)
      let formats: [(String, any Format)] = [
        ("csv", CSVFormat(raw: false)), ("json", JSONFormat()), ("ndjson", NDJSONFormat()),
        ("markdown", MarkdownFormat()), ("html", HTMLFormat()),
      ]
      for (name, format) in formats {
        var expected: [UInt8] = []
        try format.write(table) { expected += $0 }
        let answer = try await service.ask(
          "/api/v1/reports/district-bp?period=2024Q1&format=\(name)", token: secret)
        #expect(answer.status == 200)
        #expect(
          answer.body.trimmingCharacters(in: .newlines)
            == String(decoding: expected, as: UTF8.self).replacing("\r\n", with: "\n")
            .trimmingCharacters(in: .newlines), "\(name)")
      }
      for name in ["xlsx", "fhir"] {
        let answer = try await service.ask(
          "/api/v1/reports/district-bp?period=2024Q1&format=\(name)", token: secret)
        #expect(answer.status == 200, "\(name)")
      }
      let mapped = try await service.ask(
        "/api/v1/reports/district-bp?period=2024Q1&format=dhis2", token: secret)
      #expect(mapped.status == 400 && mapped.body.contains("--mapping"))
    }
  }

  /// Closed is kept until it is restated, open never.
  @Test func whatIsClosedIsCachedAndWhatIsOpenIsNot() async throws {
    try await example { service, served in
      let secret = try await served.token(bathinda)
      let path = "/api/v1/reports/district-bp?period=2024Q1&format=csv"
      let first = try await service.ask(path, token: secret)
      let tag = try #require(first.headers["etag"])
      #expect(first.headers["cache-control"] == "private, no-cache")
      let again = try await service.ask(path, token: secret, headers: ["If-None-Match: \(tag)"])
      #expect(again.status == 304 && again.body.isEmpty)
      let whole = try await served.token(.all)
      let others = try await service.ask(path, token: whole, headers: ["If-None-Match: \(tag)"])
      #expect(others.status == 200)
      let named = try await service.ask(path + "&view=edition-1", token: secret)
      let namedTag = try #require(named.headers["etag"])
      #expect(named.headers["cache-control"] == "private, no-cache")
      for open in ["period=2024Q2", "period=2024Q1&view=known-now", "period=2024Q1&view=compare"] {
        let answer = try await service.ask("/api/v1/reports/district-bp?\(open)", token: secret)
        #expect(answer.status == 200 && answer.headers["etag"] == nil, "\(open)")
        #expect(answer.headers["cache-control"] == "no-store")
      }
      let closer = Closer(
        try await RollupStore(served.owner.pool, Rollups.catalog), publishing: CarePublication(),
        author: "a test")
      try await closer.restate(Period(parsing: "2024Q1"), reason: "late phones")
      let restated = try await service.ask(path, token: secret, headers: ["If-None-Match: \(tag)"])
      #expect(restated.status == 200 && restated.headers["etag"] != tag)
      // What a browser has kept of an edition is right for ever, and still shown to nobody whose token was taken back.
      let kept = try await service.ask(
        path + "&view=edition-1", token: secret, headers: ["If-None-Match: \(namedTag)"])
      #expect(kept.status == 304)
      for token in try await AccessTokens(served.owner.pool).list() {
        _ = try await AccessTokens(served.owner.pool).revoke(token.id)
      }
      for address in [path, path + "&view=edition-1"] {
        let refused = try await service.ask(
          address, token: secret, headers: ["If-None-Match: \(namedTag), \(tag)"])
        #expect(refused.status == 401 && refused.headers["etag"] == nil)
        #expect(refused.headers["cache-control"] == "no-store")
      }
    }
  }

  /// A question that means nothing is refused and says why; none is an error of ours.
  @Test func questionsThatMeanNothingAreRefused() async throws {
    try await example { service, served in
      let secret = try await served.token(.all)
      for query in [
        "", "period=", "period=2024Q5", "period=2024-13", "period=0000Q1", "period=99999Q1",
        "period=2024Q1&period=2024Q2", "perod=2024Q1", "period=2024W05", "period=%00",
        "period=%FF%FE", "period=2024Q1&trend=0", "period=2024Q1&trend=1e9",
        "period=2024Q1&trend=-5", "period=2024Q1&trend=%2B5", "period=2024Q1&format=exe",
        "period=2024Q1&view=edition-0", "period=2024Q1&view=edition-01", "period=2024Q1&view=later",
        "period=2024Q1&by=galaxy", "period=2024Q1&figures=nonsense", "period=2024Q1&patients=x",
        "period=2024Q1&suppress-below=1", "period=2024Q1&state=", "period=2024Q1&=", "=2024Q1",
      ] {
        let answer = try await service.ask("/api/v1/reports/district-bp?\(query)", token: secret)
        #expect(answer.status == 400, "\(query): \(answer.status) \(answer.body)")
        #expect(answer.body.contains("\"error\""), "\(query)")
      }
      for (path, status) in [
        ("/api/v1/reports/nonsense", 404), ("/api/v1/reports/range-bp", 404),
        ("/api/v1/reports/district-bp?period=2024Q2&view=edition-1", 404),
        ("/api/v1/reports/district-bp?period=2024Q1&view=edition-9", 404),
        ("/api/v1/reports/district-bp?period=0001Q1&trend=36", 404),
        ("/api/v1/reports/facilities?period=2024Q1&view=compare", 400),
        ("/api/v1/reports/recall", 404), ("/api/v1/lists/nonsense", 404),
        ("/api/v1/reports/district-bp?period=2024Q1&district=Nowhere", 404),
        ("/api/v1/reports/district-bp?period=1914Q1", 404),
        ("/api/v1/lists/recall", 400), ("/recall", 200), ("/api/v1/nowhere", 404),
        ("/api/v1/lists/patients?period=2024Q1", 400),
        ("/api/v1/lists/patients?period=2024Q1&figure=new_registrations&state=Punjab", 400),
        ("/api/v1/lists/recall?state=Punjab&format=fhir", 400),
        ("/api/v1/reports/district-bp?period=2024Q1&state=%27%3B--", 404),
        ("/?facility=%3Cscript%3E", 404), ("/recall?state=%22%3E", 404),
      ] {
        let answer = try await service.ask(path, token: secret)
        #expect(answer.status == status, "\(path): \(answer.status)")
        #expect(!answer.body.contains("<script>"))
      }
    }
  }
}
