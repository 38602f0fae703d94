import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// What a request carries through the service.
struct DashboardContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// Where the connection comes from: a client, or the proxy.
  let peer: String

  init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
    peer = source.channel.remoteAddress?.ipAddress ?? ""
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
  let limit: Limiter

  func handle(
    _ request: Request, context: Context,
    next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    let start = ContinuousClock.now
    metrics.began()
    let isForMachines = request.uri.path.hasPrefix("/api/")
    let client = client(request, context)
    var response: Response
    do {
      if let seconds = limit.take(client) {
        metrics.limited()
        throw Refusal(
          status: .tooManyRequests, message: "That is too often. Try again in \(seconds) s.",
          retryAfter: seconds)
      }
      response = try await next(request, context)
    } catch {
      response = answer(error, isForMachines, context)
    }
    protect(&response, context)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    // The pattern, not the path: a path could name a facility that few people go to.
    let route = context.endpointPath ?? "none"
    metrics.answered(route, status: response.status.code, seconds: seconds)
    context.logger.info(
      "request",
      metadata: [
        "method": "\(request.method.rawValue)", "route": "\(route)",
        "status": "\(response.status.code)", "ms": "\(Int(seconds * 1000))", "client": "\(client)",
      ])
    return response
  }

  /// Behind a proxy the address that the proxy has seen: the last that the header names.
  private func client(_ request: Request, _ context: Context) -> String {
    guard settings.isBehindProxy, let name = HTTPField.Name("X-Forwarded-For"),
      let last = request.headers[name]?.split(separator: ",").last
    else { return context.peer }
    return last.trimmingCharacters(in: .whitespaces)
  }

  private func answer(_ error: any Error, _ isForMachines: Bool, _ context: Context) -> Response {
    let refusal: Refusal
    if let known = Refusal(error) {
      refusal = known
    } else if let error = error as? HTTPError {
      refusal = Refusal(
        status: error.status,
        message: error.status == .notFound
          ? "There is no such page." : error.body ?? error.status.reasonPhrase)
    } else {
      context.logger.error("failed", metadata: ["error": "\(error)"])
      refusal = Refusal(status: .internalServerError, message: "That failed.")
    }
    if refusal.status == .serviceUnavailable {
      context.logger.warning("unavailable", metadata: ["error": "\(error)"])
    }
    var response =
      isForMachines
      ? .json(["error": refusal.message, "request_id": context.id], status: refusal.status)
      : .page(Pages.refusal(refusal, context.id), status: refusal.status)
    if let seconds = refusal.retryAfter { response.headers[.retryAfter] = "\(seconds)" }
    if refusal.status == .unauthorized {
      if isForMachines {
        response.headers[.wwwAuthenticate] = "Bearer"
      } else {
        response.status = .seeOther
        response.headers[.location] = "/login"
      }
    }
    return response
  }

  private func protect(_ response: inout Response, _ context: Context) {
    response.headers.set("X-Request-ID", context.id)
    response.headers.set(
      "Content-Security-Policy",
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers.set("X-Content-Type-Options", "nosniff")
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

/// ``RateLimit`` with a clock.
final class Limiter: Sendable {
  private let limit: Mutex<RateLimit>
  private let start = ContinuousClock.now

  init(perMinute: Int, burst: Int) { limit = Mutex(RateLimit(perMinute: perMinute, burst: burst)) }

  func take(_ key: String) -> Int? {
    let now = ContinuousClock.now - start
    return limit.withLock { $0.take(key, now: now) }
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
    Response(
      status: status, headers: [.contentType: "text/html; charset=utf-8"],
      body: .init(byteBuffer: ByteBuffer(string: page.text)))
  }

  static func text(
    _ text: String, _ type: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok
  )
    -> Response
  {
    Response(
      status: status, headers: [.contentType: type],
      body: .init(byteBuffer: ByteBuffer(string: text)))
  }

  static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    let bytes = (try? encoder.encode(value)) ?? Data("{}".utf8)
    return Response(
      status: status, headers: [.contentType: "application/json; charset=utf-8"],
      body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  /// To another page, which is then asked for with GET.
  static func see(_ link: Link) -> Response {
    Response(status: .seeOther, headers: [.location: link.text])
  }
}
