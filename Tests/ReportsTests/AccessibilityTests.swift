import Foundation
import TestSupport
import Testing

@testable import ReportService

/// Pages can be read by everybody: by a screen reader, with a keyboard, in light and in dark.
@Suite struct AccessibilityTests {
  @Test func pagesAreWellFormedAndInOrder() async throws {
    try await ServedExample.with { service, served in
      let secret = try await served.token(.all)
      for path in [
        "/login", "/?period=2024Q1", "/?period=2024Q2&state=Punjab",
        "/?period=2024Q1&state=Punjab&district=Bathinda&sort=under_care",
        "/?period=2024-06&facility=\(ServedExample.facility)&view=known-now",
        "/recall?facility=\(ServedExample.facility)", "/nowhere", "/?period=2024Q5",
      ] {
        let page = Markup(try await service.ask(path, token: secret).body)
        #expect(page.mistakes.isEmpty, "\(path): \(page.mistakes)")
        let headings = page.elements.compactMap { element -> Int? in
          element.name.wholeMatch(of: /h([1-6])/).flatMap { Int($0.output.1) }
        }
        #expect(headings.first == 1 && headings.count { $0 == 1 } == 1, "\(path): \(headings)")
        #expect(zip(headings, headings.dropFirst()).allSatisfy { $1 <= $0 + 1 }, "\(path)")
        for element in page.elements {
          switch element.name {
          case "select", "input":
            let isHidden = element.attributes.contains("type=\"hidden\"")
            #expect(isHidden || element.within.contains("label"), "\(path): \(element)")
          case "th": #expect(element.attributes.contains("scope="), "\(path): \(element)")
          case "svg":
            #expect(
              element.attributes.contains("aria-hidden=\"true\"")
                || (element.attributes.contains("role=\"img\"")
                  && element.attributes.contains("aria-label=\"")),
              "\(path): \(element)")
          case "html": #expect(element.attributes.contains("lang=\"en\""))
          default: break
          }
        }
        let names = Set(page.elements.map(\.name))
        #expect(names.isSuperset(of: ["title", "main", "header", "footer"]), "\(path)")
        #expect(
          page.elements.count { $0.name == "table" } == page.elements.count { $0.name == "caption" }
        )
      }
    }
  }

  /// WCAG 2.2, 1.4.6 and 1.4.11.
  @Test func contrastIsEnough() throws {
    let schemes = Style.text.split(separator: "@media (prefers-color-scheme: dark)", maxSplits: 1)
    #expect(schemes.count == 2)
    for scheme in schemes {
      let colours = Dictionary(
        scheme.matches(of: /--([a-z]+): #([0-9a-f]{3,6});/).map {
          (String($0.output.1), Self.luminance(String($0.output.2)))
        }
      ) { first, _ in first }
      func ratio(_ a: String, _ b: String) throws -> Double {
        let (a, b) = (try #require(colours[a]), try #require(colours[b]))
        return (max(a, b) + 0.05) / (min(a, b) + 0.05)
      }
      for ground in ["paper", "band"] {
        #expect(try ratio("ink", ground) >= 7)
        #expect(try ratio("link", ground) >= 7)
        #expect(try ratio("bar", ground) >= 3)
        #expect(try ratio("rule", ground) >= 3)
      }
    }
  }

  private static func luminance(_ digits: String) -> Double {
    let all = digits.count == 3 ? digits.flatMap { [$0, $0] } : Array(digits)
    let parts = stride(from: 0, to: 6, by: 2).map { place -> Double in
      let value = Double(Int(String(all[place...place + 1]), radix: 16) ?? 0) / 255
      return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
  }
}

/// The elements of a page, in their order.
private struct Markup {
  struct Element {
    let name: String
    let attributes: String
    /// What it lies in, the outermost first.
    let within: [String]
  }

  private(set) var elements: [Element] = []
  private(set) var mistakes: [String] = []

  private static let empty: Set<String> = ["meta", "link", "input", "br"]

  init(_ page: String) {
    var open: [String] = []
    for tag in page.matches(of: /<(\/?)([a-zA-Z0-9]+)([^<>]*?)(\/?)>/) {
      let name = String(tag.output.2).lowercased()
      if tag.output.1.isEmpty {
        elements.append(Element(name: name, attributes: String(tag.output.3), within: open))
        if tag.output.4.isEmpty, !Self.empty.contains(name) { open.append(name) }
      } else if open.last == name {
        open.removeLast()
      } else {
        mistakes.append("</\(name)> in \(open.joined(separator: " > "))")
      }
    }
    if !open.isEmpty { mistakes.append("open at the end: \(open)") }
    let ids = page.matches(of: /\sid="([^"]*)"/).map { String($0.output.1) }
    if Set(ids).count != ids.count { mistakes.append("ids twice: \(ids)") }
  }
}
