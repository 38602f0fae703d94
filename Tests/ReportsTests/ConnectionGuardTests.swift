import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import ReportService

/// How long a browser may take, without a clock.
@Suite struct ConnectionGuardTests {
  private func connection(_ connections: Capacity? = nil) throws -> EmbeddedChannel {
    let channel = EmbeddedChannel(handler: ConnectionGuard(connections: connections))
    try channel.connect(to: SocketAddress(ipAddress: "203.0.113.1", port: 1)).wait()
    return channel
  }

  private func head(_ method: HTTPRequest.Method = .get, expects: String? = nil) -> HTTPRequestPart
  {
    var head = HTTPRequest(method: method, scheme: "http", authority: "x", path: "/login")
    head.headerFields[.expect] = expects
    return .head(head)
  }

  @Test func whoAsksNothingIsHungUpOn() throws {
    let channel = try connection()
    channel.embeddedEventLoop.advanceTime(by: .seconds(19))
    #expect(channel.isActive)
    channel.embeddedEventLoop.advanceTime(by: .seconds(2))
    #expect(!channel.isActive)
  }

  @Test func aRequestThatHasComeTakesItsTime() throws {
    let channel = try connection()
    try channel.writeInbound(head())
    try channel.writeInbound(HTTPRequestPart.end(nil))
    channel.embeddedEventLoop.advanceTime(by: .seconds(600))
    #expect(channel.isActive)
  }

  @Test func aBodyThatDoesNotComeIsGivenUp() throws {
    let channel = try connection()
    try channel.writeInbound(head(.post))
    channel.embeddedEventLoop.advanceTime(by: .seconds(9))
    try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "form=")))
    try channel.throwIfErrorCaught()
    channel.embeddedEventLoop.advanceTime(by: .seconds(2))
    #expect(throws: ConnectionGuard.TooSlow.self) { try channel.throwIfErrorCaught() }
    #expect(channel.isActive, "it is said why")
    channel.embeddedEventLoop.advanceTime(by: .seconds(6))
    #expect(!channel.isActive)
  }

  @Test func whoWaitsToBeAskedIsAskedOnce() throws {
    let channel = try connection()
    try channel.writeInbound(head(.post, expects: "100-continue"))
    let part = try channel.readOutbound(as: HTTPResponsePart.self)
    #expect(part == .head(HTTPResponse(status: .continue)))
    #expect(try channel.readOutbound(as: HTTPResponsePart.self) == nil)
    try channel.writeInbound(head(.get, expects: "100-continue"))
    #expect(try channel.readOutbound(as: HTTPResponsePart.self) == nil)
  }

  /// An address has its connections, and those that end are free again.
  @Test func anAddressHasItsConnections() throws {
    let capacity = Capacity(10, ofOne: 2)
    let first = try connection(capacity)
    let second = try connection(capacity)
    let third = try connection(capacity)
    #expect(first.isActive && second.isActive && !third.isActive)
    try first.close().wait()
    #expect(try connection(capacity).isActive)
  }
}
