import Foundation
import Hypertension
import PeriodRollups
import Reports
import TestSupport
import Testing

@testable import ReportService

/// Whatever is asked, the answer is figures or a refusal that says why.
@Suite struct AskingTests {
  /// The document describes what there is: every path answers, with every value that it says there is.
  @Test func theDescriptionIsTrue() async throws {
    try await ServedExample.with { service, served in
      let secret = try await served.token(.state("Punjab"))
      let document = try await service.ask("/api/v1/openapi.json")
      #expect(document.status == 200)
      let described = try JSONDecoder().decode(Description.self, from: Data(document.body.utf8))
      #expect(described.paths.count == 5 + 2 + API.reports.count)
      for (path, methods) in described.paths {
        let operation = try #require(methods["get"])
        let required = (operation.parameters ?? []).filter { $0.required == true }
          .map { "\($0.name)=\($0.schema.enum?.first ?? $0.schema.example ?? "")" }
        for parameter in operation.parameters ?? [] {
          for value in parameter.schema.values {
            let asked = required.filter { !$0.hasPrefix(parameter.name + "=") }
            let query = (asked + ["\(parameter.name)=\(value)"]).joined(separator: "&")
            let answer = try await service.ask("\(path)?\(query)", token: secret)
            // Of what a token does not open it is not said whether it is there.
            #expect([200, 403, 404].contains(answer.status), "\(path)?\(query): \(answer.body)")
            let type = answer.headers["content-type"]?.split(separator: ";").first ?? ""
            #expect(
              operation.responses["\(answer.status)"]?.content?[String(type)] != nil,
              "\(path)?\(query): \(type)")
          }
        }
        let unknown = try await service.ask("\(path)?nonsense=1", token: secret)
        #expect(unknown.status == 400, "\(path)")
        let posted = try await service.ask(path, token: secret, options: ["-X", "POST"])
        #expect(posted.status == 405 && posted.headers["allow"] == "GET, HEAD", "\(path)")
      }
    }
  }

  private struct Description: Decodable {
    let paths: [String: [String: Operation]]

    struct Operation: Decodable {
      let parameters: [Parameter]?
      let responses: [String: Response]
    }

    struct Response: Decodable {
      let content: [String: Content]?
    }

    struct Content: Decodable {}

    struct Parameter: Decodable {
      let name: String
      let required: Bool?
      let schema: Schema
    }

    struct Schema: Decodable {
      let `enum`: [String]?
      let items: Items?
      let minimum: Int?
      let maximum: Int?
      let example: String?
      let pattern: String?

      struct Items: Decodable {
        let `enum`: [String]
      }

      /// Some that it allows.
      var values: [String] {
        if let `enum` { return `enum` }
        if let items { return [items.enum[0], items.enum.joined(separator: ",")] }
        if let minimum, let maximum { return ["\(minimum)", "\(maximum)"] }
        if pattern?.contains("edition") == true { return ["published", "known-now", "edition-1"] }
        return example.map { [$0, "2024-06"] } ?? ["Punjab", "%F0%9F%8D%8E", "'%3B--"]
      }
    }
  }

  /// Nothing that can be sent is a mistake of ours.
  @Test(arguments: seeds(3))
  func nothingThatIsSentIsAnErrorOfOurs(seed: UInt64) async throws {
    try await ServedExample.with(["--rate-limit", "0"]) { service, served in
      let secret = try await served.token(.all)
      var random = Seeded(seed)
      let names = [
        "period", "state", "district", "block", "facility", "view", "sort", "trend", "by",
        "figures", "format", "suppress-below", "figure", "nonsense",
      ]
      let values = [
        "2024Q1", "2024-06", "9999Q4", "0001-01", "2024Q2", "Punjab", "Mansa", "published",
        "compare", "edition-1", "edition-9999", "known-now", "36", "-1",
        "9223372036854775808", "facility", "size", "all", "controlled_rate,,missed_visit_rate",
        "xlsx",
        "fhir", "missed_visit", "%00", "%FF", "%", "", "%E2%80%AE", "<script>", "'%3B--", "+", "=",
        "&",
        "%2E%2E%2F", "dead",
      ]
      let paths =
        [
          "/", "/recall", "/api/v1/lists/recall", "/api/v1/lists/patients", "/login", "/nowhere",
          "/api/v1/reports/../me", "//", "/%2e%2e/", "/api/v1/periods",
        ] + API.reports.map { "/api/v1/reports/\($0.name)" }
      let headers = [
        "If-None-Match: *", "If-None-Match: \"", "Cookie: token", "Cookie: token=;;=;form",
        "Cookie: form=\u{1F34E}", "X-Forwarded-For: ,,,", "Accept: nonsense", "Range: bytes=5-1",
        "Host;", "Content-Type: \u{0}", "Expect: 100-continue",
        "X-Long: " + String(repeating: "x", count: 9000),
      ]
      for _ in 0..<60 {
        let query = (0..<Int.random(in: 0...4, using: &random)).map { _ in
          "\(names.randomElement(using: &random) ?? "")=\(values.randomElement(using: &random) ?? "")"
        }.joined(separator: "&")
        let path = paths.randomElement(using: &random) ?? "/"
        let header = headers.randomElement(using: &random) ?? ""
        let answer = try await service.ask(
          "\(path)?\(query)", token: Bool.random(using: &random) ? secret : nil, headers: [header])
        #expect((200..<500).contains(answer.status), "\(path)?\(query) \(header): \(answer.body)")
        #expect(!answer.body.contains("<script>"))
      }
    }
  }
}
