import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTLS
import Hypertension
import Logging
import NIOCore
import NIOSSL
import PeriodRollups
import Postgres
import Reports

/// The service behind `report serve`: pages that are made on the server and need no script, and an API.
///
/// Its database role is a member of `rollup_server` and of nothing else. It may be wrong in every page: what a token opens
/// is decided in the database (docs/access.md).
public struct Dashboard: Sendable {
  private let settings: DashboardSettings
  private let pool: Pool
  private let logger: Logger

  /// - Parameter pool: of sessions whose `search_path` is ``searchPath``.
  public init(_ settings: DashboardSettings, pool: Pool, logger: Logger) {
    self.settings = settings
    self.pool = pool
    self.logger = logger
  }

  /// What the statements of reports find their tables by: the token's facilities under the application's name, and
  /// temporary tables last.
  public static let searchPath = "rollup_reach, pg_temp"

  /// Serves until it is told to stop; what is being answered then is answered.
  /// - Parameter running: called with the port when it can be reached.
  public func run(_ running: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
    let application = Application(
      router: router(), server: try server(),
      configuration: .init(
        address: .hostname(settings.host, port: settings.port), serverName: nil),
      onServerRunning: { channel in await running(channel.localAddress?.port ?? 0) },
      logger: logger)
    try await application.runService()
    await pool.close()
  }

  private func server() throws -> HTTPServerBuilder {
    guard let certificate = settings.certificate else { return .http1() }
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.chain).map {
        .certificate($0)
      },
      privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.key, format: .pem)))
    tls.minimumTLSVersion = .tlsv12
    return try .tls(.http1(), tlsConfiguration: tls)
  }

  private func router() -> Router<DashboardContext> {
    let metrics = Metrics()
    let reader = Reader(pool: pool)
    let gate = Gate(pool: pool, isSecure: settings.isSecure)
    let router = Router(context: DashboardContext.self, options: .autoGenerateHeadEndpoints)
    router.add(
      middleware: Attending(
        settings: settings, metrics: metrics,
        limit: Limiter(
          perMinute: settings.requestsPerMinute, burst: max(settings.requestsPerMinute / 4, 20))))
    addOperations(to: router, reader, metrics)
    addPages(to: router, gate, reader, metrics)
    Login(gate: gate).add(to: router)
    API(gate: gate, reader: reader, metrics: metrics, mapping: settings.mapping).add(to: router)
    return router
  }

  // MARK: Routes

  private func addOperations(
    to router: Router<DashboardContext>, _ reader: Reader, _ metrics: Metrics
  ) {
    router.get("health") { _, _ in Response.text("alive\n") }
    router.get("ready") { _, _ in
      guard try await reader.isReady() else {
        throw Refusal(
          status: .serviceUnavailable,
          message:
            "The database is not migrated, or the service's role is no member of rollup_server.",
          retryAfter: 30)
      }
      return Response.text("ready\n")
    }
    router.get("metrics") { _, _ in
      Response.text(metrics.text, "text/plain; version=0.0.4; charset=utf-8")
    }
    router.get("style.css") { _, _ in
      var response = Response.text(Style.text, "text/css; charset=utf-8")
      response.headers[.cacheControl] = "public, max-age=3600"
      return response
    }
  }

  private func addPages(
    to router: Router<DashboardContext>, _ gate: Gate, _ reader: Reader, _ metrics: Metrics
  ) {
    router.get("/") { request, _ in
      let visitor = try await gate.admit(request)
      let asking = try Asking(request, Asking.region.union(Asking.time))
      let region = asking.region.isNarrowed ? asking.region : visitor.region
      let page = RegionPage(
        visitor: visitor, region: region, asked: try asking.period(),
        view: try asking.one("view", Asking.View.self) ?? .published, form: gate.form(request))
      return gate.giving(.page(try await page.make(reader)), form: page.form)
    }
    router.get("recall") { request, _ in
      let visitor = try await gate.admit(request)
      let asking = try Asking(request, Asking.region)
      let region = asking.region.isNarrowed ? asking.region : visitor.region
      let page = RecallPage(visitor: visitor, region: region, form: gate.form(request))
      let response = Response.page(try await page.make(reader))
      metrics.readList()
      return gate.giving(response, form: page.form)
    }
  }
}
