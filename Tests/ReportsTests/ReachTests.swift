import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport
import Testing

@testable import ReportService

/// A page that is named for a place shows that place, or is refused; and what is refused says nothing of what there is elsewhere.
@Suite struct ReachTests {
  private static let facility = ServedExample.facility
  private static let foreign = ServedExample.foreign
  private static let nobody = "00000000-0000-0000-0000-0000000000ff"

  /// Tokens, and what lies beyond each: regions there are and regions there are not.
  private static let beyond: [(AccessToken.Scope, [String])] = [
    (
      .facility(ExampleProgramme.id(1)),
      [
        "state=Punjab", "state=Nowhere", "district=Bathinda", "district=Mansa",
        "state=Punjab&district=Bathinda&block=Maur", "block=Nowhere", "facility=\(foreign)",
        "facility=\(nobody)", "facility=SDH", "facility=Nowhere",
        "district=Mansa&facility=\(facility)",
      ]
    ),
    (
      .block(state: "Punjab", district: "Bathinda", "Maur"),
      [
        "state=Punjab", "district=Bathinda", "state=Nowhere", "block=Nowhere",
        "facility=\(foreign)", "facility=\(nobody)", "facility=%3DCHC",
      ]
    ),
    (
      ServedExample.bathinda,
      [
        "state=Punjab", "state=Nowhere", "district=Mansa", "district=Nowhere", "block=Nowhere",
        "facility=\(foreign)", "facility=\(nobody)", "facility=SDH", "facility=Nowhere",
      ]
    ),
    (.state("Punjab"), ["state=Nowhere", "district=Nowhere", "facility=\(nobody)"]),
  ]

  @Test func whatATokenDoesNotOpenIsRefusedWhetherItIsThereOrNot() async throws {
    try await ServedExample.with { service, served in
      for (scope, regions) in Self.beyond {
        let secret = try await served.token(scope)
        var pages: Set<String> = []
        for region in regions {
          for path in [
            "/?period=2024Q1&", "/?period=2024Q2&", "/?", "/recall?",
            "/api/v1/reports/district-bp?period=2024Q1&",
            "/api/v1/reports/trend?period=2024-06&", "/api/v1/lists/recall?",
            "/api/v1/lists/patients?period=2024Q1&figure=missed_visit&",
          ] {
            let answer = try await service.ask(path + region, token: secret)
            #expect(answer.status == 403, "\(scope.description): \(path)\(region)")
            let id = answer.headers["x-request-id"] ?? ""
            if path.hasPrefix("/?") { pages.insert(answer.body.replacing(id, with: "")) }
          }
        }
        #expect(pages.count == 1, "\(scope.description): the refusals differ")
      }
      let all = try await served.token(.all)
      for region in ["state=Nowhere", "facility=\(Self.nobody)"] {
        #expect(try await service.ask("/?period=2024Q1&\(region)", token: all).status == 404)
      }
      let reads = try await AccessTokens(served.owner.pool).reads(limit: 100)
      #expect(reads.isEmpty)
    }
  }

  /// Whatever a page links to can be followed with the same token, and what it lets choose can be chosen.
  @Test(arguments: [
    AccessToken.Scope.all, .state("Punjab"), ServedExample.bathinda,
    .block(state: "Punjab", district: "Bathinda", "Maur"), .facility(ExampleProgramme.id(1)),
  ])
  func whatIsOfferedCanBeFollowed(scope: AccessToken.Scope) async throws {
    try await ServedExample.with(["--rate-limit", "0"]) { service, served in
      let secret = try await served.token(scope)
      var waiting = ["/", "/?period=2024Q1", "/?period=2024Q1&view=edition-1", "/recall"]
      var seen = Set(waiting)
      // A file has no links, and a page of another order is the same page.
      while let path = waiting.popLast(), seen.count < 400 {
        let answer = try await service.ask(path, token: secret)
        if path == "/recall", scope == .all {
          #expect(answer.body.contains("Whom to call"))
        }
        #expect(answer.status == 200, "\(scope.description): \(path) \(answer.status)")
        guard answer.headers["content-type"]?.hasPrefix("text/html") == true,
          !path.hasPrefix("/api/")
        else { continue }
        let links = answer.body.matches(of: /href="([^"]+)"/).map {
          String($0.output.1).replacing("&amp;", with: "&")
        }
        let isWanted = { (link: String) in
          !link.contains("sort=") && !link.contains("format=") || link.contains("format=csv")
        }
        let choices = answer.body.matches(of: /<option value="([12][0-9Q-]+)"/).map {
          "/?period=\($0.output.1)"
        }
        waiting += (links + choices).filter { isWanted($0) && seen.insert($0).inserted }
      }
    }
  }

  /// A facility that moved is read where it was by who reads that district's closed periods, and nowhere else; who has it now is told
  /// that there was nothing.
  @Test func aFacilityThatMovedIsReadWhereItWas() async throws {
    try await ServedExample.with { service, served in
      try await served.owner.pool.withConnection {
        try await $0.execute(
          "UPDATE facilities SET district = 'Newtown', block = NULL WHERE id = \(ExampleProgramme.id(1))"
        )
      }
      let old = try await served.token(ServedExample.bathinda)
      let new = try await served.token(.district(state: "Punjab", "Newtown"))
      let own = try await served.token(.facility(ExampleProgramme.id(1)))
      for (token, path, status) in [
        (old, "/?period=2024Q1&facility=\(Self.facility)", 200),
        (old, "/?period=2024Q2&facility=\(Self.facility)", 403),
        (old, "/?period=2024Q1&district=Newtown", 403),
        (old, "/recall?facility=\(Self.facility)", 403),
        (new, "/?period=2024Q2&facility=\(Self.facility)", 200),
        (new, "/?period=2024Q1&facility=\(Self.facility)", 200),
        (new, "/?period=2024Q1", 200), (new, "/?period=2024Q1&district=Bathinda", 403),
        (new, "/api/v1/reports/district-bp?period=2024Q1", 404),
        (own, "/?period=2024Q1", 200), (own, "/?period=2024Q2", 200), (own, "/recall", 200),
        (own, "/?period=2024Q1&district=Bathinda", 403),
        (own, "/?period=2024Q1&district=Newtown", 403),
      ] {
        let answer = try await service.ask(path, token: token)
        #expect(answer.status == status, "\(path)")
      }
      let moved = try await service.ask("/?period=2024Q1&facility=\(Self.facility)", token: old)
      #expect(!moved.body.contains("/recall") && !moved.body.contains("<option value=\"2026"))
      let before = try await service.ask("/?period=2024Q1", token: new)
      #expect(before.body.contains("There was no facility here in 2024Q1"))
      #expect(!before.body.contains("/api/v1/"))
    }
  }

  /// A name that two places have is a question, not the figures of the first.
  @Test func aPageIsOfOnePlace() async throws {
    try await ServedExample.with { service, served in
      let store = try await Store(served.owner.pool)
      try await store.save(
        Facility(
          id: ExampleProgramme.id(9), name: "SDH", state: "Haryana", district: "Mansa",
          block: "Maur"))
      let secret = try await served.token(.all)
      for region in ["district=Mansa", "facility=SDH", "block=Maur"] {
        for path in ["/?period=2024Q2&\(region)", "/recall?\(region)"] {
          let answer = try await service.ask(path, token: secret)
          #expect(answer.status == 400, "\(path)")
          #expect(answer.body.contains(region.contains("SDH") ? Self.foreign : "Haryana"))
        }
      }
      let one = try await service.ask("/?period=2024Q2&state=Haryana&district=Mansa", token: secret)
      #expect(one.status == 200 && one.body.contains("<h1>Mansa</h1>"))
      let address = "/?period=2024Q2&facility=\(Self.foreign)"
      let facility = try await service.ask(address, token: secret)
      #expect(facility.body.contains("<h1>SDH</h1>"))
    }
  }

  /// Districts whose names look the same are two: each token is shown its own, from every memory there is.
  @Test func namesThatLookTheSameAreTwoPlaces() async throws {
    let names = ["Orl\u{E9}ans", "Orle\u{301}ans"]
    try await ServedExample.with { service, served in
      // As an application writes them, which normalises nothing.
      for (number, name) in names.enumerated() {
        try await served.owner.pool.withConnection {
          try await $0.execute(
            """
            UPDATE facilities SET district = \(name), name = \("Facility \(number)")
            WHERE id = \(ExampleProgramme.id(number == 0 ? 1 : 3))
            """)
        }
      }
      let closer = Closer(
        try await RollupStore(served.owner.pool, Rollups.catalog), publishing: CarePublication(),
        author: "a test")
      try await closer.close(Period(parsing: "2024Q2"))
      let secrets = try await [
        served.token(.district(state: "Punjab", names[0])),
        served.token(.district(state: "Punjab", names[1])),
      ]
      for path in [
        "/?period=2024Q2", "/?period=2024-05", "/api/v1/reports/district-bp?period=2024Q2",
        "/api/v1/reports/district-bp?period=2024-05", "/api/v1/facilities",
      ] {
        for _ in 0..<2 {
          for (number, secret) in secrets.enumerated() {
            let answer = try await service.ask(path, token: secret)
            #expect(answer.status == 200, "\(path)")
            #expect(answer.body.contains("Facility \(number)"), "\(path)")
            #expect(!answer.body.contains("Facility \(1 - number)"), "\(path)")
          }
        }
      }
      // And with a token of everything each is a district of its own, before and after closing.
      for period in ["2024Q2", "2024-05"] {
        for (number, name) in names.enumerated() {
          let link = Link("/", [("period", period), ("state", "Punjab"), ("district", name)])
          let page = try await service.ask(link.text, token: try await served.token(.all))
          #expect(page.status == 200 && page.body.contains("Facility \(number)"))
          #expect(!page.body.contains("Facility \(1 - number)"), "\(period)")
        }
      }
    }
  }

  /// A facility is named by its name: in the header of its token's pages, of what the token says of itself, of lists of tokens and reads.
  @Test func aFacilityIsCalledByItsName() async throws {
    try await ServedExample.with { service, served in
      let (secret, id) = try await served.tokenAndID(.facility(ExampleProgramme.id(3)))
      let page = try await service.ask("/", token: secret)
      #expect(page.body.contains("<p>a test, SDH: figures and lists</p>"))
      let me = try await service.ask("/api/v1/me", token: secret)
      #expect(me.body.contains("\"opens\":\"SDH\"") && me.body.contains("\"facility\":\"SDH\""))
      let recall = try await service.ask("/recall", token: secret)
      #expect(recall.status == 200 && recall.body.contains("SDH</h1>"))
      let tokens = AccessTokens(served.owner.pool)
      #expect(try await tokens.list().map(\.opens) == ["Punjab / Mansa / SDH"])
      #expect(try await tokens.reads(token: id, limit: 9).map(\.region) == ["Punjab / Mansa / SDH"])
    }
  }

  // MARK: Periods

  /// What is not over cannot look final, what has not begun is refused, and what is overdue says since when.
  @Test func aPeriodSaysHowFarItHasCome() async throws {
    try await ServedExample.with { service, served in
      let secret = try await served.token(.all)
      let now = try await calendar(served, secret).current(.quarter)
      let running = try await service.ask("/?period=\(now)", token: secret)
      #expect(running.body.contains("<strong>\(now) is not over.</strong>"))
      #expect(running.body.contains("it ends on \(now.lastDay)"))
      let file = try await service.ask("/api/v1/reports/district-bp?period=\(now)", token: secret)
      #expect(file.body.contains("the period ends on \(now.lastDay)"))
      let overdue = try await service.ask("/?period=2024Q2", token: secret)
      #expect(overdue.body.contains("<strong>2024Q2 is open.</strong>"))
      #expect(overdue.body.contains("overdue since 2024-07-16"))
      for path in [
        "/?period=", "/api/v1/reports/trend?period=",
        "/api/v1/lists/patients?state=Punjab&figure=missed_visit&period=",
      ] {
        let future = try await service.ask("\(path)\(now.advanced(by: 1))", token: secret)
        #expect(future.status == 400 && future.body.contains("is \(now)"), "\(path)")
      }
      let periods = try await service.ask("/api/v1/periods", token: secret).body
      #expect(periods.contains("\"period\":\"\(now)\",\"progress\":\"running\""))
      #expect(periods.contains("\"progress\":\"overdue\""))
      // A short list, and a field for what is not in it.
      #expect(running.body.matches(of: /<option value="[0-9]{4}/).count <= 19)
      let typed = try await service.ask("/?period=\(now)&other=2024Q1", token: secret)
      #expect(typed.status == 200 && typed.body.contains("2024Q1 is closed"))
    }
  }

  /// Nothing is offered before the programme's first period.
  @Test func aProgrammeBeginsWithItsFirstPeriod() async throws {
    try await ServedExample.with { service, served in
      try await served.owner.pool.withConnection { connection in
        try await connection.script(
          """
          ALTER TABLE rollup.deployment ADD COLUMN IF NOT EXISTS first_period date;
          UPDATE rollup.deployment SET first_period = '2024-01-01'
          """)
      }
      let secret = try await served.token(.all)
      for path in ["/?period=2023Q4", "/api/v1/reports/district-bp?period=2023-12"] {
        let before = try await service.ask(path, token: secret)
        #expect(before.status == 404 && before.body.contains("the programme is 2024"), "\(path)")
      }
      let periods = try await service.ask("/api/v1/periods", token: secret).body
      #expect(periods.contains("2024Q1") && !periods.contains("2023"))
      let page = try await service.ask("/?period=2024Q2", token: secret)
      #expect(page.status == 200 && page.body.contains("2024Q1") && !page.body.contains("2023Q4"))
      let trend = try await service.ask(
        "/api/v1/reports/trend?period=2024Q2&trend=8", token: secret)
      #expect(trend.status == 200 && !trend.body.contains("2023Q4"))
    }
  }

  private func calendar(_ served: ServedDatabase, _ secret: String) async throws
    -> ReportService.Calendar
  {
    try await Reader(pool: served.pool).read(secret) { tx in try await ReportService.Calendar(tx) }
  }
}
