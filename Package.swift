// swift-tools-version:6.1
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
  name: "sx",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "SX", targets: ["SX"]),
    .library(name: "SXHost", targets: ["SXHost"]),
    .library(name: "SXTracing", targets: ["SXTracing"]),
    .library(name: "SXLifecycle", targets: ["SXLifecycle"]),
    .executable(name: "sx", targets: ["sx"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.0"),
    .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
  ],
  targets: [
    // The SX source of the prelude, embedded as bytes. C, because `#embed` costs milliseconds where a Swift array literal costs a minute.
    .target(name: "SXPrelude", path: "prelude", sources: ["prelude.c"]),
    // The language: no package, no Foundation.
    .target(name: "CNativeStack"),
    .target(name: "SX", dependencies: ["SXPrelude", "CNativeStack"], swiftSettings: settings),
    // The outside world: files, HTTP, timers, the probe.
    .target(
      name: "SXHost",
      dependencies: [
        "SX",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPCompression", package: "swift-nio-extras"),
        "CGzip",
      ], swiftSettings: settings),
    // The tracing, metrics and logging API of the Swift ecosystem, into the telemetry of an interpreter.
    .target(
      name: "SXTracing",
      dependencies: [
        "SX",
        .product(name: "Tracing", package: "swift-distributed-tracing"),
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: settings),
    // Programs as services of a group that begins and ends them.
    .target(name: "SXLifecycle", dependencies: ["SX", "SXHost", .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")], swiftSettings: settings),
    .target(name: "CGzip", linkerSettings: [.linkedLibrary("z")]),
    .systemLibrary(name: "CReadline", providers: [.apt(["libreadline-dev"]), .brew(["readline"])]),
    .executableTarget(
      name: "sx",
      dependencies: [
        "SX", "SXHost", "CReadline",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: settings),
    // How a Hummingbird application serves routes of SX beside its own.
    .executableTarget(
      name: "HummingbirdHost",
      dependencies: [
        "SX", "SXHost", "SXTracing", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      path: "Examples/HummingbirdHost", swiftSettings: settings),
    .testTarget(name: "SXTests", dependencies: ["SX"], exclude: ["Errors"], swiftSettings: settings),
    .testTarget(
      name: "SXTracingTests",
      dependencies: [
        "SX", "SXHost", "SXTracing", "SXLifecycle",
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "Tracing", package: "swift-distributed-tracing"),
        .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: settings),
    // Replays what fuzzing began with and found. The fuzzer itself is built by Fuzz/fuzz.sh.
    .testTarget(name: "FuzzTests", dependencies: ["SX", "SXHost", "sx"], path: "Fuzz/Native", swiftSettings: settings),
    .testTarget(
      name: "SXLifecycleTests",
      dependencies: [
        "SX", "SXHost", "SXLifecycle",
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: settings),
    .testTarget(name: "SXHostTests", dependencies: ["SX", "SXHost", .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "AsyncHTTPClient", package: "async-http-client")], swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
