import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// A token, as those who administer it see it; its secret is shown once and kept nowhere.
public struct AccessToken: Hashable, Sendable {
  /// What people call it by; no secret.
  public let id: String
  public let name: String
  public let scope: Scope
  /// Whether it may read lists of patients, or figures only.
  public let readsLists: Bool
  public let createdAt: Timestamp
  public let createdBy: String
  public let expiresAt: Timestamp
  public let revokedAt: Timestamp?
  /// To the hour.
  public let lastUsedAt: Timestamp?

  /// Whose figures a token opens.
  public enum Scope: Hashable, Sendable {
    case all
    case state(String)
    case district(state: String, String)
    case block(state: String, district: String, String)
    case facility(UUID)

    init(_ state: String?, _ district: String?, _ block: String?, _ facility: UUID?) {
      if let facility {
        self = .facility(facility)
      } else if let state, let district, let block {
        self = .block(state: state, district: district, block)
      } else if let state, let district {
        self = .district(state: state, district)
      } else if let state {
        self = .state(state)
      } else {
        self = .all
      }
    }

    public var state: String? {
      switch self {
      case .all, .facility: nil
      case .state(let state), .district(let state, _), .block(let state, _, _): state
      }
    }

    public var district: String? {
      switch self {
      case .all, .facility, .state: nil
      case .district(_, let district), .block(_, let district, _): district
      }
    }

    public var block: String? { if case .block(_, _, let block) = self { block } else { nil } }
    public var facility: UUID? { if case .facility(let id) = self { id } else { nil } }

    /// `all`, `Punjab`, `Punjab / Bathinda`, or a facility's id.
    public var description: String {
      if let facility { return facility.uuidString.lowercased() }
      let names = [state, district, block].compactMap(\.self)
      return names.isEmpty ? "all" : names.joined(separator: " / ")
    }
  }
}

/// What a token says of itself to the one who shows it: what it opens, and until when.
public struct Admission: Hashable, Sendable {
  public let id: String
  public let name: String
  public let scope: AccessToken.Scope
  public let readsLists: Bool
  public let expiresAt: Timestamp
  /// What the database was when it was looked up.
  public let moment: Moment?

  /// Looks a secret up and notes that it was used; in a transaction of its own.
  /// - Returns: nil for a secret that is unknown, expired or revoked.
  public static func admit(_ secret: String, _ pool: Pool) async throws -> Admission? {
    do {
      return try await pool.withConnection { connection in
        let row = try await connection.prepared(
          "SELECT a.*, \(unescaped: Moment.expression) FROM rollup.admit(\(secret)) AS a"
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

/// Administers access tokens; as a member of `rollup_owner` or `rollup_closer`.
public struct AccessTokens: Sendable {
  private let pool: Pool

  public init(_ pool: Pool) { self.pool = pool }

  /// What a token is made of: the id that is no secret, and what its bearer shows.
  public struct Secret: Sendable {
    public let id: String
    public let text: String

    /// `bp_`, the id, and 256 random bits.
    public init() {
      var random = SystemRandomNumberGenerator()
      id = Self.digits(10, &random)
      // 32 signs to choose from each time are five bits: 52 of them are 260.
      text = "bp_\(id)_\(Self.digits(52, &random))"
    }

    /// Without signs that are taken for each other.
    private static let signs = Array("abcdefghijkmnpqrstuvwxyz23456789")

    private static func digits(_ count: Int, _ random: inout SystemRandomNumberGenerator) -> String
    {
      String((0..<count).map { _ in signs[Int(random.next() & 31)] })
    }
  }

  /// Makes a token, and files the statements that it may have executed.
  /// - Parameters:
  ///   - digest: SHA-256 of ``Secret/text``; the database never sees the text.
  ///   - days: after how many days it expires.
  public func create(
    _ secret: Secret, digest: [UInt8], name: String, scope: AccessToken.Scope, readsLists: Bool,
    days: Int
  ) async throws -> AccessToken {
    try await pool.withConnection { connection in
      try await connection.execute(
        """
        INSERT INTO rollup.tokens (id, name, secret_hash, state, district, block, facility_id, reads_lists, expires_at)
        VALUES (\(secret.id), \(name), \(digest), \(scope.state), \(scope.district), \(scope.block), \(scope.facility),
          \(readsLists), now() + make_interval(days => \(Int32(days))))
        """)
    }
    try await Filing.refreshIfMissing(pool)
    guard let token = try await list().first(where: { $0.id == secret.id }) else {
      throw DeploymentError.notMigrated
    }
    return token
  }

  /// All there are and were, the latest first.
  public func list() async throws -> [AccessToken] {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT id, name, state, district, block, facility_id, reads_lists, created_at, created_by, expires_at, revoked_at,
          last_used_at
        FROM rollup.tokens
        ORDER BY created_at DESC, id
        """
      ).map(AccessToken.init)
    }
  }

  /// Takes a token back, from the next statement on.
  /// - Returns: whether there is one of that id; one that was revoked before stays so.
  public func revoke(_ id: String) async throws -> Bool {
    try await pool.withConnection { connection in
      try await connection.execute(
        """
        UPDATE rollup.tokens
        SET revoked_at = coalesce(revoked_at, now()), revoked_by = coalesce(revoked_by, session_user)
        WHERE id = \(id)
        """) > 0
    }
  }

  /// A list of patients that was asked for.
  public struct ListRead: Hashable, Sendable {
    public let number: Int64
    public let announcedAt: Timestamp
    public let token: String
    public let login: String
    public let list: String
    public let periodStart: CalendarDay
    public let region: String
    /// nil where it was announced and not read, or the reading was rolled back.
    public let readAt: Timestamp?
    public let patients: Int64?
  }

  /// The lists that were asked for, the latest first.
  /// - Parameter token: of this token only.
  public func reads(token: String? = nil, limit: Int) async throws -> [ListRead] {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT number, announced_at, token, login, list, period_start, array_to_string(region, ' / '), read_at, rows
        FROM rollup.list_reads
        WHERE \(token)::text IS NULL OR token = \(token)
        ORDER BY number DESC
        LIMIT \(Int64(limit))
        """
      ).map { row in
        ListRead(
          number: try row.decode(0, as: Int64.self),
          announcedAt: try row.decode(1, as: Timestamp.self),
          token: try row.decode(2, as: String.self), login: try row.decode(3, as: String.self),
          list: try row.decode(4, as: String.self),
          periodStart: try row.decode(5, as: CalendarDay.self),
          region: try row.decode(6, as: String.self),
          readAt: try row.decode(7, as: Timestamp?.self),
          patients: try row.decode(8, as: Int64?.self))
      }
    }
  }

  /// The region of given names as the facilities spell it; a district or block is looked for in all states that are not
  /// ruled out.
  /// - Throws: ``UnknownRegion``; ``AmbiguousRegion``.
  public func scope(state: String?, district: String?, block: String?, facility: String?)
    async throws -> AccessToken.Scope
  {
    let rows = try await pool.withConnection { connection in
      try await connection.query(
        "SELECT id, name, state, district, block FROM facilities WHERE deleted_at IS NULL"
      ).decode((UUID, String, String, String, String?).self)
    }
    var left = rows
    func narrow(
      _ kind: String, _ name: String?,
      _ names: ((UUID, String, String, String, String?)) -> [String]
    ) throws(UnknownRegion) {
      guard let name else { return }
      let found = left.filter { names($0).contains { $0.lowercased() == name.lowercased() } }
      guard !found.isEmpty else {
        let known = Set(left.compactMap { names($0).first }).sorted()
        throw UnknownRegion(kind: kind, name: name, nearest: nearest(to: name, among: known))
      }
      left = found
    }
    try narrow("state", state) { [$0.2] }
    try narrow("district", district) { [$0.3] }
    try narrow("block", block) { $0.4.map { [$0] } ?? [] }
    try narrow("facility", facility) { [$0.1, $0.0.uuidString] }
    let scopes = Set(
      left.map { place -> AccessToken.Scope in
        if facility != nil { return .facility(place.0) }
        return AccessToken.Scope(
          state != nil || district != nil || block != nil ? place.2 : nil,
          district != nil || block != nil ? place.3 : nil, block != nil ? place.4 : nil, nil)
      })
    guard let scope = scopes.first, scopes.count == 1 else {
      throw AmbiguousRegion(scopes: scopes.map(\.description).sorted())
    }
    return scope
  }
}

/// Names that more than one region has.
public struct AmbiguousRegion: Error, Hashable, CustomStringConvertible {
  public let scopes: [String]

  public var description: String {
    scopes.isEmpty
      ? "there are no facilities yet, so there is nothing to scope a token to"
      : "more than one region has that name: \(scopes.joined(separator: "; ")). Name the outer region too."
  }
}

extension AccessToken {
  fileprivate init(_ row: Row) throws {
    id = try row.decode(0, as: String.self)
    name = try row.decode(1, as: String.self)
    scope = Scope(
      try row.decode(2, as: String?.self), try row.decode(3, as: String?.self),
      try row.decode(4, as: String?.self), try row.decode(5, as: UUID?.self))
    readsLists = try row.decode(6, as: Bool.self)
    createdAt = try row.decode(7, as: Timestamp.self)
    createdBy = try row.decode(8, as: String.self)
    expiresAt = try row.decode(9, as: Timestamp.self)
    revokedAt = try row.decode(10, as: Timestamp?.self)
    lastUsedAt = try row.decode(11, as: Timestamp?.self)
  }
}
