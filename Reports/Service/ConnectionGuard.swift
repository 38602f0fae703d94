import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// On each connection: how long a browser may take to say what it wants and to read what it gets, so that nobody holds a connection by
/// being slow; and the answer to `Expect: 100-continue`, without which a client waits before it sends a body.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  /// How long each may take.
  struct Deadlines: Sendable {
    /// From the connection, with TLS, to the first request's last header.
    var firstRequest = TimeAmount.seconds(20)
    /// From a request's last header to the end of its body.
    var body = TimeAmount.seconds(10)
    /// In which some of an answer has to be read.
    var reading = TimeAmount.seconds(30)
  }

  /// A body did not come in time.
  struct TooSlow: Error {}

  private let deadlines: Deadlines
  /// Of connections of one address; nil behind a proxy, whose all are.
  private let connections: Capacity?
  private var address: String?
  private var isCounted = false
  /// What ends the connection unless the browser goes on.
  private var waiting: Scheduled<Void>?
  private var watching: RepeatedTask?
  private var unread = 0
  private var answers = 0

  init(_ deadlines: Deadlines = Deadlines(), connections: Capacity?) {
    self.deadlines = deadlines
    self.connections = connections
  }

  // MARK: The connection

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { begin(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard waiting == nil, !isCounted else { return }
    if let connections {
      let peer = context.channel.remoteAddress?.ipAddress.flatMap { ClientAddress($0) }
      address = peer?.group
      guard connections.take(address) else {
        context.close(promise: nil)
        return
      }
      isCounted = true
    }
    wait(deadlines.firstRequest, context) { context.close(promise: nil) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  private func end() {
    waiting?.cancel()
    watching?.cancel()
    if isCounted { connections?.giveBack(address) }
    isCounted = false
  }

  private func wait(
    _ time: TimeAmount, _ context: ChannelHandlerContext, _ late: @escaping () -> Void
  ) {
    waiting?.cancel()
    waiting = context.eventLoop.assumeIsolated().scheduleTask(in: time, late)
  }

  // MARK: Requests

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      wait(deadlines.body, context) { self.giveUp(TooSlow(), context) }
      if Self.waitsForContinue(head) {
        context.writeAndFlush(
          wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
      }
    case .body: break
    case .end:
      waiting?.cancel()
    }
    context.fireChannelRead(data)
  }

  /// A body that will be refused is not asked for.
  private static func waitsForContinue(_ head: HTTPRequest) -> Bool {
    guard head.headerFields[.expect]?.lowercased() == "100-continue", head.method == .post else {
      return false
    }
    let length = head.headerFields[.contentLength].flatMap { Int($0) } ?? 0
    return length <= DashboardContext.mostBytes
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard error is HTTPParserError else {
      context.fireErrorCaught(error)
      return
    }
    giveUp(error, context)
  }

  /// Whoever reads the request is told, and may say why for a moment; nothing more is understood on this connection.
  private func giveUp(_ error: any Error, _ context: ChannelHandlerContext) {
    context.fireErrorCaught(error)
    wait(.seconds(5), context) { context.close(promise: nil) }
  }

  // MARK: Answers

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head:
      answers += 1
      watch(context)
      context.write(data, promise: promise)
    case .body: context.write(data, promise: promise)
    case .end:
      let read = promise ?? context.eventLoop.makePromise(of: Void.self)
      read.futureResult.assumeIsolated().whenComplete { _ in
        self.answers -= 1
        guard self.answers == 0 else { return }
        self.watching?.cancel()
        self.watching = nil
      }
      context.write(data, promise: read)
    }
  }

  /// Ends the connection when nothing of an answer is read for so long: what is not read stays in memory.
  private func watch(_ context: ChannelHandlerContext) {
    guard watching == nil else { return }
    unread = 0
    let channel = NIOLoopBound(context, eventLoop: context.eventLoop)
    let watch = NIOLoopBound(self, eventLoop: context.eventLoop)
    watching = context.eventLoop.scheduleRepeatedTask(
      initialDelay: deadlines.reading, delay: deadlines.reading
    ) { _ in
      let context = channel.value
      let left =
        (try? context.channel.syncOptions?.getOption(ChannelOptions.bufferedWritableBytes)) ?? 0
      if left > 0, left == watch.value.unread { context.close(promise: nil) }
      watch.value.unread = left
    }
  }
}
