import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Hypertension
import Logging
import NIOCore
import NIOSSL
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
    let application = Application(
      router: router(), server: try server(),
      configuration: .init(
        address: .hostname(settings.host, port: settings.port), serverName: nil,
        availableConnectionsDelegate: MaximumAvailableConnections(settings.clients, logger: logger)),
      onServerRunning: { [settings] channel in
        await running(settings.address(port: channel.localAddress?.port ?? settings.port))
      },
      logger: logger)
    var configuration = ServiceGroupConfiguration(
      services: [
        .init(service: application), .init(service: Forgetting(pool: pool, logger: logger)),
      ],
      gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    configuration.maximumGracefulShutdownDuration = settings.drainLimit
    do {
      try await ServiceGroup(configuration: configuration).run()
    } catch let error as IOError {
      throw cannotListen(String(cString: strerror(error.errnoCode)))
    } catch is SocketAddressError {
      throw cannotListen("there is no such host")
    }
    await pool.close()
  }

  private func cannotListen(_ reason: String) -> Unable {
    Unable(
      isOfFile: false,
      description: "cannot listen at \(settings.host), port \(settings.port): \(reason)")
  }

  /// A browser that says nothing for so long is hung up on.
  private static let idleTimeout = TimeAmount.seconds(75)

  private func server() throws -> HTTPServerBuilder {
    let plain = HTTPServerBuilder.http1(configuration: .init(idleTimeout: Self.idleTimeout))
    guard let certificate = settings.certificate else { return plain }
    do {
      var tls = TLSConfiguration.makeServerConfiguration(
        certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.chain).map {
          .certificate($0)
        },
        privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.key, format: .pem)))
      tls.minimumTLSVersion = .tlsv12
      // Whether the key is the certificate's shows when they are used together.
      _ = try NIOSSLContext(configuration: tls)
      return try .tls(plain, tlsConfiguration: tls)
    } catch {
      throw Unable(
        isOfFile: true,
        description:
          "cannot serve with the certificate \(certificate.chain) and the key \(certificate.key): expected PEM files that belong together (\(error))"
      )
    }
  }

  // MARK: Routes

  private func router() -> Router<DashboardContext> {
    let metrics = Metrics()
    let reader = Reader(pool: pool)
    let gate = Gate(pool: pool, isSecure: settings.isSecure)
    let router = Router(context: DashboardContext.self, options: .autoGenerateHeadEndpoints)
    router.add(
      middleware: Attending(
        settings: settings, metrics: metrics, capacity: Capacity(settings.requestsAtOnce),
        limit: Limiter(
          perMinute: settings.requestsPerMinute, burst: max(settings.requestsPerMinute / 4, 20))))
    addOperations(to: router, reader, metrics)
    addPages(to: router, gate, reader, metrics)
    LoginPage(gate: gate).add(to: router)
    API(gate: gate, reader: reader, metrics: metrics, mapping: settings.mapping).add(to: router)
    return router
  }

  private func addOperations(
    to router: Router<DashboardContext>, _ reader: Reader, _ metrics: Metrics
  ) {
    router.get("health") { _, _ -> Response in .text("alive\n") }
    router.get("ready") { _, _ -> Response in
      guard try await reader.isReady() else {
        throw Refusal(
          status: .serviceUnavailable,
          message:
            "The database is not migrated, or the service's role is no member of rollup_server.",
          retryAfter: 30)
      }
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
        request, Asking.region.union(["period", "view", "sort"]), isForm: true)
      let page = RegionPage(
        visitor: visitor, region: asking.region.isNarrowed ? asking.region : visitor.region,
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
      let page = RecallPage(
        visitor: visitor, region: asking.region.isNarrowed ? asking.region : visitor.region)
      let made = try await page.make(reader)
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
