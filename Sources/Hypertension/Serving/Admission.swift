import Foundation
import Postgres

/// What a token says of itself to the one who shows it: what it opens, and until when.
public struct Admission: Hashable, Sendable {
  public let id: String
  public let name: String
  public let scope: AccessToken.Scope
  /// What the token's facility is called; nil of another token, and where the facility is not known.
  public let facilityName: String?
  public let readsLists: Bool
  public let expiresAt: Timestamp
  /// What the database was when it was looked up.
  public let moment: Moment?

  /// What it opens, by name: `Punjab / Bathinda`, or the facility's.
  public var opens: String { facilityName ?? scope.description }

  /// Looks a secret up and notes that it was used; in a transaction of its own.
  /// - Returns: nil for a secret that is unknown, expired or revoked.
  public static func admit(_ secret: String, _ pool: Pool) async throws -> Admission? {
    do {
      return try await pool.withConnection { connection in
        let row = try await connection.prepared(
          """
          SELECT a.id, a.name, a.state, a.district, a.block, a.facility_id, a.reads_lists, a.expires_at,
            \(unescaped: Moment.expression),
            -- After the token is in force, which this row tells.
            CASE WHEN a.facility_id IS NOT NULL THEN (
              SELECT p.name FROM rollup.places_in_reach() AS p WHERE p.id = a.facility_id
            ) END
          FROM rollup.admit(\(secret)) AS a
          """
        ).first
        return try row.map(Admission.init)
      }
    } catch let error as PostgresError where error.sqlState == .invalidAuthorization {
      return nil
    }
  }

  private init(_ row: Row) throws {
    id = try row.decode(0, as: String.self)
    name = try row.decode(1, as: String.self)
    scope = AccessToken.Scope(
      try row.decode(2, as: String?.self), try row.decode(3, as: String?.self),
      try row.decode(4, as: String?.self), try row.decode(5, as: UUID?.self))
    readsLists = try row.decode(6, as: Bool.self)
    expiresAt = try row.decode(7, as: Timestamp.self)
    moment = Moment(try row.decode(8, as: String?.self))
    facilityName = try row.decode(9, as: String?.self)
  }
}

/// A login: a secret of its own, which ends with its token, after twelve hours or when its holder says so, whichever is first.
public enum Login {
  /// - Parameters:
  ///   - token: the token's secret; another login's does not count.
  ///   - digest: SHA-256 of the login's secret; the database does not see the text before it is used.
  /// - Returns: until when it lasts; nil for a token that is unknown, expired or revoked.
  public static func begin(with token: String, digest: [UInt8], _ pool: Pool) async throws
    -> Timestamp?
  {
    do {
      return try await pool.withConnection { connection in
        try await connection.prepared("SELECT rollup.log_in(\(token), \(digest))")
          .only(Timestamp.self)
      }
    } catch let error as PostgresError where error.sqlState == .invalidAuthorization {
      return nil
    }
  }

  /// Ends the login of a secret. One that is unknown, or a token's own, is left alone.
  public static func end(_ secret: String, _ pool: Pool) async throws {
    try await pool.withConnection { connection in
      _ = try await connection.prepared("SELECT rollup.log_out(\(secret))")
    }
  }
}

extension SQLState {
  /// A token that is unknown, expired or revoked, or none (`invalid_authorization_specification`).
  public static let invalidAuthorization = SQLState(rawValue: "28000")
}
