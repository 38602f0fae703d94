import Crypto
import HTTPTypes
import Hummingbird
import Hypertension
import Postgres

/// Lets in who shows a token that holds in the header `Authorization: Bearer …`, or a login in the cookie of the login page.
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
    guard Self.mayBeSecret(secret) else { return nil }
    do {
      return try await again { try await Admission.admit(secret, pool) }
    } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
      // Of a token it says something else: this is the role, which may not even ask.
      throw Refusal.notMigrated
    }
  }

  /// Begins a login with a token.
  /// - Returns: the login's own secret, and until when it lasts; nil for a token that does not hold.
  func logIn(_ token: String) async throws -> (secret: String, until: Timestamp)? {
    guard Self.mayBeSecret(token) else { return nil }
    let secret = AccessTokens.Secret().text
    let digest = Array(SHA256.hash(data: Array(secret.utf8)))
    return try await again { try await Hypertension.Login.begin(with: token, digest: digest, pool) }
      .map { (secret, $0) }
  }

  /// Ends the login that the browser shows: its cookie opens nothing any more, wherever it is.
  func logOut(_ request: Request) async throws {
    guard let secret = request.cookies[cookieName]?.value, Self.mayBeSecret(secret) else { return }
    try await again { try await Hypertension.Login.end(secret, pool) }
  }

  /// Nothing longer was ever given out, and a text has no zero bytes.
  private static func mayBeSecret(_ text: String) -> Bool {
    (1...200).contains(text.utf8.count) && !text.utf8.contains(0)
  }

  /// A connection that turns out to be lost is replaced once. What was begun on it can be done twice without harm.
  private func again<Value>(_ ask: () async throws -> Value) async throws -> Value {
    do {
      return try await ask()
    } catch let error as PostgresError where error.kind == .connectionLost {
      return try await ask()
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
  var cookieName: String { isSecure ? "__Host-login" : "login" }
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
