import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// What a request carries through the service.
struct DashboardContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The address of whoever asks: of the connection, or what the proxy says of it.
  var client: String

  init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
    client = source.channel.remoteAddress?.ipAddress ?? ""
  }

  /// No form here is larger.
  var maxUploadSize: Int { 16 * 1024 }
}

/// Around every request: how often one may ask, what is said of errors, the headers that keep a browser to what the page
/// is, a line in the log, and the counts.
struct Attending: RouterMiddleware {
  typealias Context = DashboardContext

  let settings: DashboardSettings
  let metrics: Metrics
  let capacity: Capacity
  let limit: Limiter

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
      if let seconds = limit.take(context.client) {
        metrics.limited()
        throw Refusal.tooOften(seconds)
      }
      response =
        Routes.answersAtOnce.contains(request.uri.path)
        ? try await next(request, context)
        : try await capacity.using { try await next(request, context) }
    } catch {
      response = answer(error, request, context)
    }
    protect(&response, context)
    log(request, response, since: start, context)
    return response
  }

  /// Behind a proxy the address that the proxy has seen: the last that the header names.
  private func client(_ request: Request, _ context: Context) -> String {
    guard settings.isBehindProxy, let name = HTTPField.Name("X-Forwarded-For"),
      let last = request.headers[name]?.split(separator: ",").last
    else { return context.client }
    return last.trimmingCharacters(in: .whitespaces)
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
        "status": "\(response.status.code)", "ms": "\(Int(seconds * 1000))",
        "client": "\(context.client)",
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
    if let known = Refusal(error) { return known }
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

/// Which addresses there are, and what may be done there.
enum Routes {
  private static let pages: Set<String> = [
    "/", "/recall", "/health", "/ready", "/metrics", "/style.css", "/icon.svg",
    "/api/v1/openapi.json", "/api/v1/me", "/api/v1/periods", "/api/v1/facilities",
    "/api/v1/reports",
  ]

  /// What reads nothing, and is wanted most when all else is busy.
  static let answersAtOnce: Set<String> = ["/health", "/metrics", "/style.css", "/icon.svg"]

  /// - Returns: nil where there is nothing.
  static func methods(at path: String) -> String? {
    switch path {
    case "/login": "GET, HEAD, POST"
    case "/logout": "POST"
    case _ where pages.contains(path) || isReport(path): "GET, HEAD"
    default: nil
    }
  }

  private static func isReport(_ path: String) -> Bool {
    ["/api/v1/reports/", "/api/v1/lists/"].contains { folder in
      path.hasPrefix(folder) && !path.dropFirst(folder.count).contains("/")
    }
  }
}

extension HTTPFields {
  /// A header by its name as text.
  mutating func set(_ name: String, _ value: String) {
    if let name = HTTPField.Name(name) { self[name] = value }
  }
}

extension Response {
  static func page(_ page: HTML, status: HTTPResponse.Status = .ok) -> Response {
    .text(page.text, "text/html; charset=utf-8", status: status)
  }

  static func text(
    _ text: String, _ type: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok
  ) -> Response {
    Response(
      status: status, headers: [.contentType: type],
      body: .init(byteBuffer: ByteBuffer(string: text)))
  }

  static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    let bytes = (try? encoder.encode(value)) ?? Data("{}".utf8)
    return .text(
      String(decoding: bytes, as: UTF8.self), "application/json; charset=utf-8", status: status)
  }

  /// To another page, which is then asked for with GET.
  static func see(_ link: Link) -> Response {
    Response(status: .seeOther, headers: [.location: link.text])
  }
}
