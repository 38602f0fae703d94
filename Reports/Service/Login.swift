import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The login page: a token is taken once and kept in a cookie that no script reads and no other site sends.
struct Login: Sendable {
  let gate: Gate
  /// Few can guess 256 bits, and nobody should try: ten a minute and address.
  private let attempts = Limiter(perMinute: 10, burst: 10)

  init(gate: Gate) { self.gate = gate }

  func add(to router: Router<DashboardContext>) {
    router.get("login") { request, _ in
      _ = try Asking(request, [])
      let form = gate.form(request)
      return gate.giving(.page(Pages.login(form: form)), form: form)
    }
    router.post("login") { request, context in try await logIn(request, context) }
    router.post("logout") { request, context in
      guard gate.isOurForm(request, try await Self.fields(request, context)["form"]) else {
        throw Refusal.forbidden("That form is not from here, or too old. Load the page again.")
      }
      var response = Response.see(Link("/login"))
      response.setCookie(gate.cookie(gate.cookieName, "", for: 0))
      return response
    }
  }

  private func logIn(_ request: Request, _ context: DashboardContext) async throws -> Response {
    let fields = try await Self.fields(request, context)
    guard gate.isOurForm(request, fields["form"]) else {
      throw Refusal.forbidden("That form is not from here, or too old. Load the page again.")
    }
    let secret = (fields["token"] ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
    if let seconds = attempts.take(context.peer) {
      throw Refusal(
        status: .tooManyRequests, message: "That is too often. Try again in \(seconds) s.",
        retryAfter: seconds)
    }
    guard let admission = try await gate.admission(secret) else {
      let form = gate.form(request)
      return gate.giving(
        .page(
          Pages.login(form: form, wrong: "That token is unknown, expired or revoked."),
          status: .forbidden), form: form)
    }
    let left = admission.expiresAt.date.timeIntervalSinceNow
    var response = Response.see(Link("/"))
    response.setCookie(
      gate.cookie(gate.cookieName, secret, for: max(1, Int(min(left, 86_400 * 30)))))
    return response
  }

  /// The fields of a form, as browsers send them.
  private static func fields(_ request: Request, _ context: DashboardContext) async throws
    -> [String: String]
  {
    let body = try await request.body.collect(upTo: context.maxUploadSize)
    let fields = Dictionary(
      try FormFields.read(String(buffer: body)).map { ($0.name, $0.value) }
    ) { first, _ in first }
    return fields
  }
}

extension Gate {
  /// The value by which a form of this browser's is known; a new one where it has none.
  func form(_ request: Request) -> String {
    if let value = request.cookies[formCookieName]?.value, value.count == 32 { return value }
    var random = SystemRandomNumberGenerator()
    return (0..<2).map { _ in
      let digits = String(random.next(), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// The response, which gives the browser that value.
  func giving(_ response: Response, form: String) -> Response {
    var response = response
    response.setCookie(cookie(formCookieName, form))
    return response
  }
}
