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
  /// Of a token of a facility what that is called today, with the regions around it; nil of one that is not known.
  public let facilityName: String?
  /// Whether it may read lists of patients, or figures only.
  public let readsLists: Bool
  public let createdAt: Timestamp
  public let createdBy: String
  public let expiresAt: Timestamp
  public let revokedAt: Timestamp?
  /// To the hour.
  public let lastUsedAt: Timestamp?

  /// What it opens, by name: `Punjab / Bathinda`.
  public var opens: String { facilityName ?? scope.description }

  /// Whose figures a token opens.
  public enum Scope: Sendable {
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

    /// `all`, `Punjab`, `Punjab / Bathinda`, or a facility's id where its name is not known.
    public var description: String {
      if let facility { return facility.uuidString.lowercased() }
      let names = [state, district, block].compactMap(\.self)
      return names.isEmpty ? "all" : names.joined(separator: " / ")
    }

    /// State, district, block and facility, byte by byte.
    public var parts: [ExactText?] {
      [state, district, block, facility?.uuidString.lowercased()].map { $0.map(ExactText.init) }
    }
  }
}

/// Names that look the same and have other bytes are other regions, as they are to the database's policies.
extension AccessToken.Scope: Hashable {
  public static func == (a: Self, b: Self) -> Bool { a.parts == b.parts }
  public func hash(into hasher: inout Hasher) { hasher.combine(parts) }
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
        SELECT t.id, t.name, t.state, t.district, t.block, t.facility_id, t.reads_lists, t.created_at, t.created_by,
          t.expires_at, t.revoked_at, t.last_used_at, concat_ws(' / ', f.state, f.district, nullif(f.block, ''), f.name)
        FROM rollup.tokens AS t
        LEFT JOIN facilities AS f ON f.id = t.facility_id
        ORDER BY t.created_at DESC, t.id
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
        SELECT r.number, r.announced_at, r.token, r.login, r.list, r.period_start,
          CASE WHEN f.id IS NULL THEN array_to_string(r.region, ' / ')
            ELSE concat_ws(' / ', f.state, f.district, nullif(f.block, ''), f.name) END, r.read_at, r.rows
        FROM rollup.list_reads AS r
        LEFT JOIN facilities AS f ON f.id = CASE WHEN r.region[4] ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
          THEN r.region[4]::uuid END
        WHERE \(token)::text IS NULL OR r.token = \(token)
        ORDER BY r.number DESC
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

  /// The region of given names as the facilities spell it (``PlaceName``); a district or block is looked for in all states that are
  /// not ruled out.
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
      let spelled = try PlaceName.spelling(of: name, kind, among: left.flatMap(names))
      left = left.filter { names($0).contains { ExactText($0) == spelled } }
    }
    try narrow("state", state) { [$0.2] }
    try narrow("district", district) { [$0.3] }
    try narrow("block", block) { $0.4.map { [$0] } ?? [] }
    if let id = facility.flatMap({ UUID(uuidString: $0) }), left.contains(where: { $0.0 == id }) {
      return .facility(id)
    }
    try narrow("facility", facility) { [$0.1] }
    guard facility == nil || left.count == 1 else {
      throw AmbiguousRegion(
        scopes: left.map { place in
          let names = [place.2, place.3, place.4, place.1].compactMap(\.self).filter { !$0.isEmpty }
          return names.joined(separator: " / ") + " (\(place.0.uuidString.lowercased()))"
        }.sorted())
    }
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
      : "more than one region has that name: \(scopes.joined(separator: "; ")). Name the outer region too, or a facility by its id."
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
    let place = try row.decode(12, as: String?.self) ?? ""
    facilityName = place.isEmpty ? nil : place
  }
}
