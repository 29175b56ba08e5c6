// swift-tools-version:6.2
// The peer of `sx serve` for the server benchmark: a package of its own, so that nobody who builds SX builds it.
import PackageDescription

let package = Package(
  name: "hello-hummingbird",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
  ],
  targets: [
    .executableTarget(
      name: "Hello",
      dependencies: [
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Tracing", package: "swift-distributed-tracing"),
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Sources/Hello"
    )
  ]
)
