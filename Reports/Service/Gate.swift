import HTTPTypes
import Hummingbird
import Hypertension
import Postgres

/// Lets in who shows a token that holds: in the header `Authorization: Bearer …`, or in the cookie of the login page.
struct Gate: Sendable {
  let pool: Pool
  /// Whether the service is reached by TLS, here or at the proxy.
  let isSecure: Bool

  /// Someone who was let in.
  struct Visitor: Sendable {
    let secret: String
    let admission: Admission
    /// Whether by the login page, and so to be shown a way out.
    let isLoggedIn: Bool
  }

  /// - Throws: ``Refusal``; an error of the database.
  func admit(_ request: Request) async throws -> Visitor {
    let bearer = Self.bearer(request)
    guard let secret = bearer ?? request.cookies[cookieName]?.value else { throw Refusal.noToken }
    guard let admission = try await admission(of: secret) else { throw Refusal.noToken }
    return Visitor(secret: secret, admission: admission, isLoggedIn: bearer == nil)
  }

  /// What a secret opens; nil for one that does not hold.
  func admission(of secret: String) async throws -> Admission? {
    // Nothing longer was ever given out, and a text has no zero bytes.
    guard (1...200).contains(secret.utf8.count), !secret.utf8.contains(0) else { return nil }
    do {
      return try await Admission.admit(secret, pool)
    } catch let error as PostgresError where error.kind == .connectionLost {
      return try await Admission.admit(secret, pool)
    }
  }

  private static func bearer(_ request: Request) -> String? {
    guard let value = request.headers[.authorization] else { return nil }
    let parts = value.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return "" }
    return String(parts[1])
  }

  // MARK: Cookies

  /// With TLS a name that browsers take only from this very host and over TLS.
  var cookieName: String { isSecure ? "__Host-token" : "token" }
  var formCookieName: String { isSecure ? "__Host-form" : "form" }

  /// - Parameter seconds: how long the browser keeps it; nil until it is closed.
  func cookie(_ name: String, _ value: String, for seconds: Int? = nil) -> Cookie {
    Cookie(
      name: name, value: value, maxAge: seconds, path: "/", secure: isSecure, httpOnly: true,
      sameSite: .strict)
  }

  /// A form counts only with the value that this browser was given for it, so that no other site can send one.
  func isOurForm(_ request: Request, _ value: String?) -> Bool {
    guard let value, !value.isEmpty else { return false }
    return request.cookies[formCookieName]?.value == value
  }
}
