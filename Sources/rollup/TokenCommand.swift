import ArgumentParser
import Commands
import Crypto
import Foundation
import Hypertension
import Postgres
import RollupStore

/// `rollup token`: who may see what of a service that shows reports.
struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Create, list and revoke access tokens of services that show reports.",
    subcommands: [Create.self, List.self, Revoke.self, Reads.self])

  struct Create: Command {
    static let configuration = CommandConfiguration(
      commandName: "create",
      abstract: "Create an access token. Its secret is printed once, and kept nowhere.",
      discussion: """
        A token opens a state, a district, a block or a facility, or with --all everything: figures, and with --lists the lists of \
        patients too. For example: rollup token create --name 'Dr Kaur' --state Punjab --district Bathinda --lists --days 90
        """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var notes: NoteOptions

    @Option(help: "Whose it is, or what for.")
    var name: String

    @Flag(help: "It opens everything.")
    var all = false

    @Option(help: "It opens this state.")
    var state: String?

    @Option(help: "It opens this district.")
    var district: String?

    @Option(help: "It opens this block.")
    var block: String?

    @Option(help: "It opens this facility, by name or id.")
    var facility: String?

    @Flag(help: "It also opens lists of patients; otherwise figures only.")
    var lists = false

    @Option(help: "After how many days it expires.")
    var days = 90

    var databaseDescription: String? { database.described }

    func validate() throws {
      let isNarrowed = [state, district, block, facility].contains { $0 != nil }
      guard all != isNarrowed else {
        throw ValidationError(
          "say what the token opens: a region, such as --state Punjab --district Bathinda, or --all"
        )
      }
      guard (1...3650).contains(days) else {
        throw ValidationError(
          "--days \(days): expected a number of days from 1 to 3650, such as 90")
      }
      guard !name.trimmingCharacters(in: .whitespaces).isEmpty else {
        throw ValidationError("--name says whose the token is, for example --name 'Dr Kaur'")
      }
    }

    func execute() async throws {
      let pool = try await database.pool(size: 1)
      let tokens = AccessTokens(pool)
      let scope: AccessToken.Scope
      do {
        scope =
          all
          ? .all
          : try await tokens.scope(
            state: state, district: district, block: block, facility: facility)
      } catch let ambiguous as AmbiguousRegion {
        throw Failure.usage(ambiguous.description)
      }
      let secret = AccessTokens.Secret()
      let token = try await tokens.create(
        secret, digest: Array(SHA256.hash(data: Array(secret.text.utf8))), name: name, scope: scope,
        readsLists: lists, days: days)
      Terminal.say(
        "token \(token.id) of \(token.name): \(token.opens), \(lists ? "figures and lists of patients" : "figures only"), until \(token.expiresAt)"
      )
      Terminal.say("This is its secret. It is not shown again:")
      Terminal.print(secret.text)
      // A secret that nobody has read opens nothing.
      if Terminal.outputHasFailed {
        _ = try await tokens.revoke(token.id)
        Terminal.complain("The secret could not be written: token \(token.id) is revoked.")
      }
      await pool.close()
    }
  }

  struct List: Command {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "All tokens as CSV, the latest first; no secrets.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var notes: NoteOptions

    var databaseDescription: String? { database.described }

    func execute() async throws {
      let pool = try await database.pool(size: 1)
      let tokens = try await AccessTokens(pool).list()
      await pool.close()
      Terminal.print(record: [
        "id", "name", "opens", "lists", "created_at", "created_by", "expires_at", "revoked_at",
        "last_used_at",
      ])
      for token in tokens {
        Terminal.print(record: [
          token.id, token.name, token.opens, token.readsLists ? "yes" : "no",
          "\(token.createdAt)", token.createdBy, "\(token.expiresAt)",
          token.revokedAt.map { "\($0)" } ?? "", token.lastUsedAt.map { "\($0)" } ?? "",
        ])
      }
    }
  }

  struct Revoke: Command {
    static let configuration = CommandConfiguration(
      commandName: "revoke", abstract: "Take a token back, at once.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var notes: NoteOptions

    @Argument(help: "The token's id, as 'rollup token list' shows it.")
    var id: String

    var databaseDescription: String? { database.described }

    func execute() async throws {
      let pool = try await database.pool(size: 1)
      let tokens = AccessTokens(pool)
      guard try await tokens.revoke(id) else {
        let near = nearest(to: id, among: try await tokens.list().map(\.id), atMost: 1).first
        throw Failure.usage(
          "there is no token '\(id)'" + (near.map { "; did you mean \($0)?" } ?? ""))
      }
      await pool.close()
      Terminal.say("token \(id) is revoked")
    }
  }

  struct Reads: Command {
    static let configuration = CommandConfiguration(
      commandName: "reads",
      abstract: "The lists of patients that tokens have asked for, as CSV, the latest first.",
      discussion: "Without read_at: announced, and not read or the reading was rolled back.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var notes: NoteOptions

    @Option(help: "Only of this token, by its id.")
    var token: String?

    @Option(help: "How many.")
    var limit = 1000

    var databaseDescription: String? { database.described }

    func validate() throws {
      guard (1...1_000_000).contains(limit) else {
        throw ValidationError("--limit must be between 1 and 1000000")
      }
    }

    func execute() async throws {
      let pool = try await database.pool(size: 1)
      let reads = try await AccessTokens(pool).reads(token: token, limit: limit)
      await pool.close()
      Terminal.print(record: [
        "number", "announced_at", "token", "login", "list", "period_start", "region", "read_at",
        "rows",
      ])
      for read in reads {
        Terminal.print(record: [
          "\(read.number)", "\(read.announcedAt)", read.token, read.login, read.list,
          "\(read.periodStart)", read.region, read.readAt.map { "\($0)" } ?? "",
          read.patients.map { "\($0)" } ?? "",
        ])
      }
    }
  }
}
