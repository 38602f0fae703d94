import Postgres

extension TestDatabase {
  /// A login of this database's own that is a member of roles, as a deployment has them; gone after `body`.
  /// - Returns: what `body` returns, which is given the address for that login.
  public func withLogin<Value: Sendable>(
    _ name: String, in roles: [String], _ body: (_ url: String) async throws -> Value
  ) async throws -> Value {
    let login = try await pool.withConnection { connection in
      let login =
        try await connection.query("SELECT current_database()::text").only(String.self) + "_" + name
      let memberships = roles.isEmpty ? "" : " IN ROLE " + roles.joined(separator: ", ")
      try await connection.script("CREATE ROLE \(login) LOGIN\(memberships)")
      return login
    }
    let result: Result<Value, any Error>
    do {
      result = .success(try await body(url.replacing("user=postgres", with: "user=\(login)")))
    } catch { result = .failure(error) }
    try await pool.withConnection {
      try await $0.script("DROP OWNED BY \(login); DROP ROLE \(login)")
    }
    return try result.get()
  }
}
