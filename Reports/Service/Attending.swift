import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1

/// What a request carries through the service.
struct DashboardContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// Whoever asks: of the connection, or what the proxy says of it.
  var client: ClientAddress

  init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
    client = source.channel.remoteAddress?.ipAddress.flatMap { ClientAddress($0) } ?? .none
  }

  /// No form here is larger.
  static let mostBytes = 16 * 1024
  var maxUploadSize: Int { Self.mostBytes }
}

/// Around every request: how often one may ask, what is said of errors, the headers that keep a browser to what the page
/// is, a line in the log, and the counts.
struct Attending: RouterMiddleware {
  typealias Context = DashboardContext

  let settings: DashboardSettings
  let metrics: Metrics
  let capacity: Capacity
  let limit: Limiter
  let readiness: Readiness

  @concurrent
  func handle(
    _ request: Request, context: Context,
    next: @concurrent (Request, Context) async throws -> Response
  ) async throws -> Response {
    let start = ContinuousClock.now
    metrics.began()
    var context = context
    context.client = client(request, context)
    var response: Response
    do {
      if let seconds = limit.take(context.client.group) {
        metrics.limited()
        throw Refusal.tooOften(seconds)
      }
      response = try await respond(request, context, next)
    } catch {
      response = answer(error, request, context)
    }
    protect(&response, context)
    log(request, response, since: start, context)
    return response
  }

  private func respond(
    _ request: Request, _ context: Context,
    _ next: @concurrent (Request, Context) async throws -> Response
  ) async throws -> Response {
    if let expected = request.headers[.expect], expected.lowercased() != "100-continue" {
      throw Refusal(status: .expectationFailed, message: "'Expect: \(expected)' is not known here.")
    }
    guard !Routes.answersAtOnce.contains(request.uri.path) else {
      return try await next(request, context)
    }
    try await readiness.checkOnce()
    var request = request
    // Before there is a place for it: a body that comes slowly takes none (``ConnectionGuard`` says how slowly it may).
    if request.method == .post {
      let said = request.headers[.contentLength].flatMap { Int($0) } ?? 0
      guard said <= context.maxUploadSize else { throw Refusal.tooLarge }
      _ = try await request.collectBody(upTo: context.maxUploadSize)
    }
    let whole = request
    return try await capacity.using(context.client.group) { try await next(whole, context) }
  }

  /// Behind a proxy the address that the proxy has seen: the last that the header names. Where that is no address, the proxy's.
  private func client(_ request: Request, _ context: Context) -> ClientAddress {
    guard settings.isBehindProxy, let name = HTTPField.Name("X-Forwarded-For"),
      let last = request.headers[name]?.split(separator: ",").last
    else { return context.client }
    return ClientAddress(last) ?? context.client
  }

  private func log(
    _ request: Request, _ response: Response, since start: ContinuousClock.Instant,
    _ context: Context
  ) {
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    // The pattern, not the path: a path could name a facility that few people go to.
    let route = context.endpointPath ?? "NotFound"
    metrics.answered(route, status: response.status.code, seconds: seconds)
    context.logger.info(
      "request",
      metadata: [
        "method": "\(request.method.rawValue)", "route": "\(route)",
        "status": .stringConvertible(response.status.code),
        "ms": .stringConvertible(Int(seconds * 1000)), "client": "\(context.client.text)",
      ])
  }

  // MARK: Errors

  private func answer(_ error: any Error, _ request: Request, _ context: Context) -> Response {
    let refusal = refusal(error, request, context)
    if refusal.status == .serviceUnavailable {
      context.logger.warning("unavailable", metadata: ["error": "\(error)"])
    }
    let isForMachines = request.uri.path.hasPrefix("/api/")
    var response: Response =
      isForMachines
      ? .json(["error": refusal.message, "request_id": context.id], status: refusal.status)
      : .page(Pages.refusal(refusal, context.id), status: refusal.status)
    if let seconds = refusal.retryAfter { response.headers[.retryAfter] = "\(seconds)" }
    if refusal.endsConnection { response.headers[.connection] = "close" }
    if refusal.status == .methodNotAllowed {
      response.headers[.allow] = Routes.methods(at: request.uri.path)
    }
    if refusal.status == .unauthorized {
      if isForMachines {
        response.headers[.wwwAuthenticate] = "Bearer"
      } else {
        response.status = .seeOther
        let wanted = Link(wanted: request.uri.string)
        response.headers[.location] = Link("/login", [("next", wanted?.text)]).text
      }
    }
    return response
  }

  private func refusal(_ error: any Error, _ request: Request, _ context: Context) -> Refusal {
    if let known = Refusal(error) ?? Refusal(connection: error) { return known }
    guard let status = (error as? any HTTPResponseError)?.status else {
      context.logger.error("failed", metadata: ["error": "\(error)"])
      return Refusal(
        status: .internalServerError,
        message: "That failed. What went wrong is in the service's log, with the request's id.")
    }
    guard status == .notFound else { return Refusal(status: status, message: status.reasonPhrase) }
    guard Routes.methods(at: request.uri.path) == nil else {
      return Refusal(
        status: .methodNotAllowed, message: "That is not done with \(request.method.rawValue).")
    }
    return .missing("There is no such page.")
  }

  // MARK: Headers

  private func protect(_ response: inout Response, _ context: Context) {
    response.headers.set("X-Request-ID", context.id)
    response.headers.set(
      "Content-Security-Policy",
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers.set("X-Content-Type-Options", "nosniff")
    response.headers.set("X-Frame-Options", "DENY")
    // Addresses here name regions and facilities.
    response.headers.set("Referrer-Policy", "no-referrer")
    response.headers.set("Cross-Origin-Opener-Policy", "same-origin")
    response.headers.set("Cross-Origin-Resource-Policy", "same-origin")
    response.headers.set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if settings.isSecure {
      response.headers.set("Strict-Transport-Security", "max-age=31536000")
    }
    if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
  }
}
