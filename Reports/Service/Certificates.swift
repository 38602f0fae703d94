import Foundation
import HummingbirdCore
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization
import UnixSignals

/// The certificate that the service shows, which can be taken anew from its files while it serves.
final class Certificates: Sendable {
  private let files: (chain: String, key: String)
  private let context: Mutex<NIOSSLContext>

  /// - Throws: ``Dashboard/Unable``.
  init(_ files: (chain: String, key: String)) throws(Dashboard.Unable) {
    self.files = files
    context = Mutex(try Self.read(files))
  }

  /// What connections that begin now are shown.
  var current: NIOSSLContext { context.withLock { $0 } }

  /// Reads the files again. Connections that have begun keep what they have.
  /// - Throws: ``Dashboard/Unable``; what was read before is shown on.
  func renew() throws(Dashboard.Unable) {
    let new = try Self.read(files)
    context.withLock { $0 = new }
  }

  private static func read(_ files: (chain: String, key: String)) throws(Dashboard.Unable)
    -> NIOSSLContext
  {
    for file in [files.chain, files.key]
    where !FileManager.default.isReadableFile(atPath: file) {
      throw Dashboard.Unable(
        isOfFile: true,
        description: "cannot read \(file): it is not there, or permission is denied")
    }
    do {
      var tls = TLSConfiguration.makeServerConfiguration(
        certificateChain: try NIOSSLCertificate.fromPEMFile(files.chain).map { .certificate($0) },
        privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
      tls.minimumTLSVersion = .tlsv12
      // Whether the key is the certificate's shows when they are used together.
      return try NIOSSLContext(configuration: tls)
    } catch {
      throw Dashboard.Unable(
        isOfFile: true,
        description:
          "cannot serve with the certificate \(files.chain) and the key \(files.key): expected PEM files that belong together (\(error))"
      )
    }
  }
}

/// A connection by TLS with the certificate of the moment at which it begins.
struct RenewableTLSChannel<Base: ServerChildChannel>: ServerChildChannel {
  typealias Value = Base.Value

  let base: Base
  let certificates: Certificates

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHandler(
        NIOSSLServerHandler(context: certificates.current))
    }.flatMap { base.setup(channel: channel, logger: logger) }
  }

  func handle(value: Value, logger: Logger) async {
    await base.handle(value: value, logger: logger)
  }
}

/// Takes the certificate anew at each SIGHUP, as whatever renews certificates sends it.
struct CertificateRenewal: Service {
  let certificates: Certificates
  let logger: Logger

  func run() async throws {
    let signals = await UnixSignalsSequence(trapping: .sighup)
    await cancelWhenGracefulShutdown {
      for await _ in signals {
        do {
          try certificates.renew()
          logger.info("the certificate was read again; connections that begin now are shown it")
        } catch {
          logger.error(
            "the certificate was not read again, the former is shown on",
            metadata: ["error": "\(error)"])
        }
      }
    }
  }
}
