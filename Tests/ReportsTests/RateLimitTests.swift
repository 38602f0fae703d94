import Testing

@testable import ReportService

/// How often one may ask, without a clock.
@Suite struct RateLimitTests {
  @Test func aBurstPassesAndThenOneASecond() {
    var limit = RateLimit(perMinute: 60, burst: 3)
    for _ in 0..<3 { #expect(limit.take("a", now: .zero) == nil) }
    #expect(limit.take("a", now: .zero) == 1)
    #expect(limit.take("b", now: .zero) == nil)
    #expect(limit.take("a", now: .seconds(1)) == nil)
    #expect(limit.take("a", now: .seconds(1)) == 1)
    for _ in 0..<3 { #expect(limit.take("a", now: .seconds(100)) == nil) }
    #expect(limit.take("a", now: .seconds(100)) == 1)
  }

  @Test func addressesAreForgotten() {
    var limit = RateLimit(perMinute: 60, burst: 3)
    for number in 0..<50_000 { #expect(limit.take("\(number)", now: .zero) == nil) }
    #expect(
      Mirror(reflecting: limit).children.contains { child in
        (child.value as? any Collection).map { $0.count <= 10_000 } ?? false
      })
  }

  @Test func noLimitIsNone() {
    var limit = RateLimit(perMinute: 0, burst: 1)
    for _ in 0..<1000 { #expect(limit.take("a", now: .zero) == nil) }
  }
}

/// What a database or a query string says never becomes markup.
@Suite struct HTMLTests {
  @Test func whatIsInterpolatedIsText() {
    let name = "<script>alert(1)</script>\"'&\u{0}"
    let piece: HTML = "<td title=\"\(name)\">\(name)</td>"
    #expect(
      piece.text
        == "<td title=\"&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;?\">&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;?</td>"
    )
  }

  @Test func aLinkSaysWhatItSaid() throws {
    let link = Link("/", [("district", "A & B=\"ç\" +%"), ("block", nil)])
    let fields = try FormFields.read(String(link.text.dropFirst(2)))
    #expect(fields.map(\.name) == ["district"] && fields.map(\.value) == ["A & B=\"ç\" +%"])
  }
}
