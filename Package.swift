// swift-tools-version: 6.1

import PackageDescription

let package = Package(
  name: "period-rollups",
  products: [
    .library(name: "Postgres", targets: ["Postgres"]),
    .library(name: "PeriodRollups", targets: ["PeriodRollups"]),
    .library(name: "RollupStore", targets: ["RollupStore"]),
    .library(name: "Hypertension", targets: ["Hypertension"]),
    .executable(name: "rollup", targets: ["rollup"]),
    .executable(name: "rollup-backfill", targets: ["rollup-backfill"]),
    .executable(name: "report", targets: ["report"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    // The dashboard's alone.
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.20.0"),
  ],
  targets: [
    // C libraries of Debian, imported as they are.
    .systemLibrary(
      name: "CLibPQ", path: "Sources/CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CLibCSV", path: "Sources/CLibCSV", providers: [.apt(["libcsv-dev"])]),
    .systemLibrary(
      name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CLibXLSXWriter", path: "Sources/CLibXLSXWriter", pkgConfig: "xlsxwriter",
      providers: [.apt(["libxlsxwriter-dev"])]),

    // The rooms, from the ground up: DESIGN.md section 3 says who may know whom.
    .target(
      name: "Postgres",
      dependencies: ["CLibPQ", .product(name: "Logging", package: "swift-log")]),
    .target(name: "CSV", dependencies: ["CLibCSV"]),
    .target(name: "Output"),
    .target(name: "PeriodRollups"),
    .target(
      name: "Migrations", path: "Migrations", exclude: ["README.md"],
      resources: [
        .embedInCode("0001_sources.sql"), .embedInCode("0002_deployment.sql"),
        .embedInCode("0003_closing.sql"), .embedInCode("0004_published.sql"),
        .embedInCode("0005_runs.sql"), .embedInCode("0006_schema_changes.sql"),
        .embedInCode("0007_jobs.sql"), .embedInCode("0008_runs_are_jobs.sql"),
        .embedInCode("0009_readings_by_time.sql"), .embedInCode("0010_tokens.sql"),
        .embedInCode("0011_tokens_used_by_the_hour.sql"), .embedInCode("0012_changes.sql"),
        .embedInCode("0013_first_period.sql"),
        .embedInCode("0014_access.sql"),
        .embedInCode("0015_jobs.sql"),
        .embedInCode("0016_guards.sql"),
      ]),
    .target(
      name: "RollupStore",
      dependencies: [
        "Postgres", "PeriodRollups", "Migrations", .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
      ]),
    .target(name: "Hypertension", dependencies: ["RollupStore", "PeriodRollups", "Postgres"]),
    .target(
      name: "Import",
      dependencies: [
        "Hypertension", "RollupStore", "PeriodRollups", "Postgres", "CSV", "CZlib", "Output",
      ]),
    .target(
      name: "Backfill",
      dependencies: [
        "Hypertension", "RollupStore", .product(name: "Metrics", package: "swift-metrics"),
      ], path: "Backfill/Runner"),
    .target(
      name: "Reports",
      dependencies: [
        "Hypertension", "RollupStore", "PeriodRollups", "Postgres", "CSV", "CLibXLSXWriter",
        "Output",
      ],
      path: "Reports/Library"),

    // The dashboard. Nothing but the `report` command knows it.
    .target(
      name: "ReportService",
      dependencies: [
        "Reports", "Hypertension", "RollupStore", "PeriodRollups", "Postgres",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      path: "Reports/Service"),

    // The commands, and what they share.
    .target(
      name: "Commands",
      dependencies: [
        "Hypertension", "RollupStore", "PeriodRollups", "Postgres", "Output",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "rollup",
      dependencies: [
        "Commands", "CSV", "Hypertension", "Import", "RollupStore", "Postgres", "Output",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .executableTarget(
      name: "rollup-backfill",
      dependencies: [
        "Backfill", "Commands", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Backfill/Command"),
    .executableTarget(
      name: "report",
      dependencies: [
        "Reports", "ReportService", "Commands", "Output",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Reports/Command"),

    // An example: another domain on the engine.
    .target(
      name: "VeterinaryReminders", dependencies: ["RollupStore", "PeriodRollups", "Postgres"],
      path: "docs/examples/veterinary-reminders/Library"),
    .executableTarget(
      name: "reminders",
      dependencies: [
        "VeterinaryReminders", "RollupStore", "Postgres", "Commands",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "docs/examples/veterinary-reminders/Command"),

    // What `make bench` measures with.
    .executableTarget(
      name: "benchmark",
      dependencies: [
        "Commands", "Hypertension", "PeriodRollups", "Postgres", "CSV",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/Benchmarks/Benchmark"),

    // What docs/own-rollup.md shows.
    .target(
      name: "WeightExample", dependencies: ["RollupStore", "PeriodRollups", "Postgres"],
      path: "docs/examples/weight"),

    // What docs/reports.md shows.
    .target(
      name: "DeathsExample", dependencies: ["Reports", "Hypertension"],
      path: "docs/examples/deaths"),

    // The tests.
    .target(
      name: "TestSupport", dependencies: ["Hypertension", "RollupStore", "Postgres"],
      path: "Tests/TestSupport"),
    .testTarget(name: "ClosingModelTests"),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "Backfill", "Commands", "Output", "Postgres", "TestSupport", "rollup", "rollup-backfill",
        "report", "reminders", "benchmark",
      ]),
    .testTarget(name: "CSVTests", dependencies: ["CSV", "Postgres", "TestSupport"]),
    .testTarget(
      name: "HypertensionTests", dependencies: ["Hypertension", "TestSupport", "WeightExample"]),
    .testTarget(
      name: "ImportTests", dependencies: ["Import", "Hypertension", "TestSupport", "rollup"]),
    .testTarget(name: "ReportFormatTests", dependencies: ["Reports"]),
    .testTarget(name: "PeriodRollupsTests", dependencies: ["PeriodRollups", "TestSupport"]),
    .testTarget(
      name: "ProjectionTests",
      dependencies: [
        "RollupStore", "PeriodRollups", "Hypertension", "TestSupport", "VeterinaryReminders",
        "reminders", "rollup",
      ]),
    .testTarget(name: "PostgresTests", dependencies: ["Postgres", "TestSupport"]),
    .testTarget(
      name: "ReportsTests",
      dependencies: [
        "Reports", "ReportService", "CSV", "DeathsExample", "Output", "TestSupport", "report",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
      ],
      resources: [.copy("Resources")]),
  ],
  swiftLanguageModes: [.v6]
)

// An async function runs where its caller runs, so a closure that a transaction is lent to need not be Sendable.
for target in package.targets where target.type != .system {
  target.swiftSettings = [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]
}
