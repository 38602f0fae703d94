import Foundation
import HTTPTypes
import Hummingbird
import Hypertension
import NIOCore

/// The login page: a token is taken once, for a login of its own in a cookie that no script reads and no other site sends.
struct LoginPage: Sendable {
  let gate: Gate
  /// Nobody guesses 260 bits, and nobody should try: ten a minute and address.
  private let attempts = Limiter(perMinute: 10, burst: 10)

  init(gate: Gate) { self.gate = gate }

  func add(to router: Router<DashboardContext>) {
    router.get("login") { request, _ -> Response in
      let asking = try Asking(request, ["next"], isForm: true)
      return page(request, next: asking["next"])
    }
    router.post("login") { request, context in try await logIn(request, context) }
    router.post("logout") { request, context -> Response in
      guard gate.isOurForm(request, try await Self.fields(request, context)["form"]) else {
        throw Refusal.strangeForm
      }
      // First here: a browser that forgets a login which goes on has not logged out.
      try await gate.logOut(request)
      var response = Response.see(Link("/login"))
      response.setCookie(gate.cookie(gate.cookieName, "", for: 0))
      response.headers.set("Clear-Site-Data", "\"cache\"")
      return response
    }
  }

  private func page(
    _ request: Request, next: String?, wrong: String? = nil, status: HTTPResponse.Status = .ok
  ) -> Response {
    let form = gate.form(request)
    let next = next.flatMap { Link(wanted: $0) }
    return gate.giving(
      .page(Pages.login(form: form, next: next, wrong: wrong), status: status), form: form)
  }

  private func logIn(_ request: Request, _ context: DashboardContext) async throws -> Response {
    let fields = try await Self.fields(request, context)
    guard gate.isOurForm(request, fields["form"]) else { throw Refusal.strangeForm }
    if let seconds = attempts.take(context.client.group) { throw Refusal.tooOften(seconds) }
    let token = (fields["token"] ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
    guard let login = try await gate.logIn(token) else {
      return page(
        request, next: fields["next"], wrong: "That token is unknown, expired or revoked.",
        status: .forbidden)
    }
    let left = Int(login.until.date.timeIntervalSinceNow)
    var response = Response.see(fields["next"].flatMap { Link(wanted: $0) } ?? Link("/"))
    response.setCookie(gate.cookie(gate.cookieName, login.secret, for: max(1, left)))
    return response
  }

  /// The fields of a form, as browsers send them; of those that come twice the first.
  private static func fields(_ request: Request, _ context: DashboardContext) async throws
    -> [String: String]
  {
    let body = try await request.body.collect(upTo: context.maxUploadSize)
    let fields = try FormFields.read(String(buffer: body))
    return Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first }
  }
}

extension Link {
  /// A page that someone asked for before the login.
  /// - Returns: nil for what is no page of ours.
  init?(wanted text: String) {
    let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = parts.first.map(String.init), ["/", "/recall"].contains(path),
      let asked = try? FormFields.read(parts.count > 1 ? String(parts[1]) : "")
    else { return nil }
    self.init(path, asked.map { ($0.name, $0.value) })
  }
}

extension Gate {
  /// The value by which a form of this browser's is known; a new one where it has none.
  func form(_ request: Request) -> String {
    if let value = request.cookies[formCookieName]?.value, value.utf8.count == 32,
      value.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    {
      return value
    }
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
