import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Hypertension
import Logging
import NIOCore
import PeriodRollups
import Postgres
import Reports
import ServiceLifecycle

/// The service behind `report serve`: pages that are made on the server and need no script, and an API.
///
/// Its database role is a member of `rollup_server` and of nothing else. It may be wrong in every page: what a token opens
/// is decided in the database (docs/access.md).
public struct Dashboard: Sendable {
  private let settings: DashboardSettings
  private let pool: Pool
  private let readiness: Readiness
  private let logger: Logger

  /// - Parameters:
  ///   - pool: of sessions whose `search_path` is ``searchPath``.
  ///   - probe: another one, of one connection, which `/ready` asks when all of those are taken.
  public init(_ settings: DashboardSettings, pool: Pool, probe: Pool, logger: Logger) {
    self.settings = settings
    self.pool = pool
    readiness = Readiness(probe)
    self.logger = logger
  }

  /// What the statements of reports find their tables by: the token's facilities under the application's name, and
  /// temporary tables last.
  public static let searchPath = "rollup_reach, pg_temp"

  /// Why a service cannot begin.
  public struct Unable: Error, CustomStringConvertible {
    /// Whether it is a file that cannot be used, and not an address.
    public let isOfFile: Bool
    public let description: String
  }

  /// Serves until it is told to stop; what is being answered then is answered.
  /// - Parameter running: called with the address when it can be reached.
  /// - Throws: ``Unable``.
  public func run(_ running: @escaping @Sendable (String) async -> Void = { _ in }) async throws {
    let certificates = try settings.certificate.map { try Certificates($0) }
    let isToOutliveTerminal = Self.ignoreHangups()
    await sayWhetherReady()
    let application = Application(
      router: router(), server: server(certificates),
      configuration: .init(
        address: .hostname(settings.host, port: settings.port), serverName: nil,
        availableConnectionsDelegate: MaximumAvailableConnections(settings.clients, logger: logger)),
      onServerRunning: { [settings] channel in
        await running(settings.address(port: channel.localAddress?.port ?? settings.port))
      },
      logger: logger)
    let renewal = certificates.map { CertificateRenewal(certificates: $0, logger: logger) }
    var configuration = ServiceGroupConfiguration(
      services: [
        .init(service: application), .init(service: Forgetting(pool: pool, logger: logger)),
      ] + (renewal.map { [.init(service: $0)] } ?? []),
      // Without a certificate to renew SIGHUP says that the terminal is gone.
      gracefulShutdownSignals: [.sigterm, .sigint]
        + (renewal == nil && !isToOutliveTerminal ? [.sighup] : []),
      logger: logger)
    configuration.maximumGracefulShutdownDuration = settings.drainLimit
    do {
      try await ServiceGroup(configuration: configuration).run()
    } catch let error as IOError {
      throw cannotListen(String(cString: strerror(error.errnoCode)))
    } catch is SocketAddressError {
      throw cannotListen("there is no such host")
    }
    await readiness.close()
    await pool.close()
  }

  /// A hangup while the service begins does not end it.
  /// - Returns: whether whoever started it, such as `nohup`, had hangups ignored already.
  private static func ignoreHangups() -> Bool {
    let former = signal(SIGHUP, SIG_IGN)
    // The C constant SIG_IGN; two handlers cannot be compared otherwise.
    return unsafeBitCast(former, to: Int.self) == 1
  }

  /// A service may begin before its database is migrated, and says so.
  private func sayWhetherReady() async {
    do {
      try await readiness.check()
    } catch {
      let reason = Refusal(error)?.message ?? "\(error)"
      logger.warning(
        "the database is not ready: pages are answered with 503 until it is",
        metadata: ["reason": "\(reason)", "error": "\(error)"])
    }
  }

  private func cannotListen(_ reason: String) -> Unable {
    Unable(
      isOfFile: false,
      description: "cannot listen at \(settings.host), port \(settings.port): \(reason)")
  }

  /// A browser that says nothing for so long is hung up on.
  private static let idleTimeout = TimeAmount.seconds(75)

  private func server(_ certificates: Certificates?) -> HTTPServerBuilder {
    let connections = settings.clientsOfOne.map { Capacity(settings.clients, ofOne: $0) }
    let configuration = HTTP1Channel.Configuration(
      additionalChannelHandlers: [ConnectionGuard(connections: connections)],
      idleTimeout: Self.idleTimeout)
    return HTTPServerBuilder { responder in
      let plain = HTTP1Channel(responder: responder, configuration: configuration)
      guard let certificates else { return plain }
      return RenewableTLSChannel(base: plain, certificates: certificates)
    }
  }

  // MARK: Routes

  private func router() -> Router<DashboardContext> {
    let metrics = Metrics(version: settings.version)
    let reader = Reader(pool: pool)
    let gate = Gate(pool: pool, isSecure: settings.isSecure)
    let router = Router(context: DashboardContext.self, options: .autoGenerateHeadEndpoints)
    router.add(
      middleware: Attending(
        settings: settings, metrics: metrics, capacity: Capacity(settings.requestsAtOnce),
        limit: Limiter(
          perMinute: settings.requestsPerMinute, burst: max(settings.requestsPerMinute / 4, 20)),
        readiness: readiness))
    addOperations(to: router, metrics)
    addPages(to: router, gate, reader, metrics)
    LoginPage(gate: gate).add(to: router)
    API(gate: gate, reader: reader, metrics: metrics, mapping: settings.mapping).add(to: router)
    return router
  }

  private func addOperations(to router: Router<DashboardContext>, _ metrics: Metrics) {
    router.get("health") { _, _ -> Response in .text("alive\n") }
    router.get("ready") { _, _ -> Response in
      try await readiness.check()
      return .text("ready\n")
    }
    router.get("metrics") { _, _ -> Response in
      .text(metrics.text, "text/plain; version=0.0.4; charset=utf-8")
    }
    router.get("style.css") { _, _ -> Response in
      Self.kept(.text(Style.text, "text/css; charset=utf-8"))
    }
    router.get("icon.svg") { _, _ -> Response in Self.kept(.text(Style.icon, "image/svg+xml")) }
  }

  /// What is the same for everybody and changes with the program.
  private static func kept(_ response: Response) -> Response {
    var response = response
    response.headers[.cacheControl] = "public, max-age=3600"
    return response
  }

  private func addPages(
    to router: Router<DashboardContext>, _ gate: Gate, _ reader: Reader, _ metrics: Metrics
  ) {
    let formats = ServedFormat.offered(hasMapping: settings.mapping != nil)
    let copies = Copies<Page>(reader.history) { $0.body.text.utf8.count }
    router.get("/") { request, _ -> Response in
      let visitor = try await gate.admit(request)
      let asking = try Asking(
        request, Asking.region.union(["period", "other", "view", "sort"]), isForm: true)
      let page = RegionPage(
        visitor: visitor, region: try visitor.reach(asking.region),
        asked: try asking.period(), view: try asking.view(),
        sort: try asking.sort(among: RegionPage.columns), formats: formats)
      let made = try await copies.value(of: .init(visitor, request), at: visitor.admission.moment) {
        try await page.make(reader)
      }
      return gate.answer(request, made, for: visitor)
    }
    router.get("recall") { request, _ -> Response in
      let visitor = try await gate.admit(request)
      let asking = try Asking(request, Asking.region, isForm: true)
      let region = try visitor.reach(asking.region)
      guard region.isNarrowed else {
        return gate.answer(
          request, try await RecallChoice(visitor: visitor).make(reader), for: visitor)
      }
      let made = try await RecallPage(visitor: visitor, region: region).make(reader)
      metrics.readList()
      return gate.answer(request, made, for: visitor)
    }
  }
}

extension Gate {
  /// A page, with the forms that it has.
  fileprivate func answer(_ request: Request, _ page: Page, for visitor: Visitor) -> Response {
    let form = form(request)
    return giving(.page(Pages.framed(page, for: visitor, form: form)), form: form)
  }
}
