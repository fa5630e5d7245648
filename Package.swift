// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
]
let argumentParser: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioLocks: Target.Dependency = .product(
  name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let toml: Target.Dependency = .product(name: "TOMLKit", package: "TOMLKit")

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}
func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

var targets: [Target] = [
  .systemLibrary(name: "CEpoll"),
  .systemLibrary(name: "COpenSSL"),
  .systemLibrary(name: "CSystemd"),
  .systemLibrary(name: "CZlib"),
  module("HotlineCore", [deque, heap]),
  module("HotlineWire", ["HotlineCore"]),
  module("HotlineTLS", ["COpenSSL"]),
  module("HotlineDeflate", ["CZlib"]),
  module(
    "HotlineTransport",
    [
      "CEpoll", "HotlineCore", "HotlineWire", "HotlineTLS", "HotlineDeflate", deque, heap, nioCore,
      nioLocks,
    ]),
  module("HotlineSystem", ["CSystemd", logging]),
  module(
    "HotlineDaemon",
    [
      "HotlineCore", "HotlineWire", "HotlineTLS", "HotlineTransport", "HotlineSystem",
      deque, histogram, logging, nioCore, toml,
    ]),
  // Shares nothing with the client's side but the C libraries: it is the daemon's independent peer.
  module("HotlineSimulator", ["COpenSSL", "CZlib", nioCore, nioPosix, nioHTTP1, nioWebSocket]),
  program("hotlined", ["HotlineCore", "HotlineDaemon", argumentParser]),
  program("hotline", ["HotlineCore", "HotlineWire", argumentParser]),
  program("hotline-simulator", ["HotlineSimulator", argumentParser]),

  // Needs nothing but the core, so that contrib/simulate builds it in release in no time.
  .target(
    name: "HotlineSimulation", dependencies: ["HotlineCore"], path: "Tests/HotlineSimulation",
    swiftSettings: settings),
  .executableTarget(
    name: "simulate", dependencies: ["HotlineCore", "HotlineSimulation"], path: "Tests/simulate",
    swiftSettings: settings),
  // What contrib/microbenchmark counts the instructions of.
  .executableTarget(
    name: "microbenchmark",
    dependencies: ["HotlineCore", "HotlineWire", "HotlineTransport", nioCore, nioEmbedded],
    path: "Tests/microbenchmark", swiftSettings: settings),
  .target(
    name: "TestSupport", dependencies: ["COpenSSL", "CZlib"], path: "Tests/TestSupport",
    swiftSettings: settings),
  .target(
    name: "Fuzzing",
    dependencies: ["HotlineCore", "HotlineWire", "HotlineDeflate", "HotlineTransport", nioCore],
    path: "Tests/Fuzzing", swiftSettings: settings),
  tests("FuzzingTests", ["Fuzzing", "TestSupport"]),
  tests("HotlineCoreTests", ["HotlineCore", deque]),
  tests("HotlineWireTests", ["HotlineCore", "HotlineWire", "Fuzzing", "TestSupport"]),
  tests("SimulationTests", ["HotlineSimulation"]),
  tests("HotlineTLSTests", ["HotlineTLS", "COpenSSL", "TestSupport"]),
  tests("HotlineDeflateTests", ["HotlineDeflate", "TestSupport"]),
  tests(
    "HotlineTransportTests",
    [
      "HotlineCore", "HotlineWire", "HotlineTLS", "HotlineDeflate", "HotlineTransport",
      "TestSupport", nioCore, nioPosix, nioEmbedded, nioHTTP1, nioWebSocket,
    ]),
  tests("HotlineSystemTests", ["HotlineSystem", "TestSupport", logging]),
  tests(
    "HotlineDaemonTests",
    [
      "HotlineCore", "HotlineTLS", "HotlineTransport", "HotlineSystem", "HotlineDaemon",
      "HotlineSimulator",
      "TestSupport", logging, nioCore,
    ]),
  tests("HotlineSimulatorTests", ["HotlineSimulator", "TestSupport"]),
  tests(
    "HotlineTests", ["HotlineCore", "HotlineWire", "TestSupport", "hotline", argumentParser]),
  tests("IntegrationTests", ["TestSupport", "hotlined", "hotline", "hotline-simulator"]),
  tests("TidyTests", ["HotlineCore", "HotlineDaemon"]),
]

// It needs libFuzzer, so it is there for contrib/fuzz alone.
if Context.environment["HOTLINE_FUZZ"] != nil {
  targets.append(
    .executableTarget(
      name: "hotline-fuzz", dependencies: ["Fuzzing"], path: "Tests/hotline-fuzz",
      swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]))
}

let package = Package(
  name: "hotline",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
  ],
  targets: targets,
  swiftLanguageModes: [.v6]
)
