import HotlineCore
import HotlineSystem
import HotlineTransport
import Logging

extension Configuration {
  /// Reads the configuration: defaults, then the file, the environment and the flags over them.
  ///
  /// At start and on reload, off the daemon loop: it blocks on the disk.
  /// - Parameter socketIsPassed: the service manager passed the socket, so no path is needed.
  /// - Throws: ``ConfigurationError`` with all that is wrong, not only the first.
  package static func load(
    _ options: CommandLineOptions, in surroundings: Surroundings, socketIsPassed: Bool = false
  ) throws(ConfigurationError) -> Configuration {
    var reader = ConfigurationReader(options: options, surroundings: surroundings)
    reader.readFile()
    let (limits, service) = reader.readLimits()
    let defaults = reader.readDefaults()
    let prices = reader.readPrices()
    let budgets = reader.readBudgets()
    let monitoring = reader.readMonitoring()
    var (upstreams, defaultIndex) = reader.readUpstreams()
    let routes = reader.readRoutes(to: upstreams)
    reader.checkFailover(of: upstreams)
    let socketPath = reader.socketPath(isPassed: socketIsPassed)
    if upstreams.indices.contains(defaultIndex) {
      reader.applyFlags(to: &upstreams[defaultIndex])
    }
    reader.checkEvents(upstreams, limits)
    reader.checkWarmUps(upstreams, defaults)
    for index in upstreams.indices {
      reader.applyProxyOfEnvironment(to: &upstreams[index])
      reader.addKeyPlaces(to: &upstreams[index], isDefault: index == defaultIndex)
    }
    let logLevel = reader.logLevel()
    let logFormat = reader.logFormat()
    guard reader.problems.isEmpty, !upstreams.isEmpty else {
      throw ConfigurationError(reader.problems)
    }
    return Configuration(
      socketPath: socketPath, service: service, monitoring: monitoring, limits: limits,
      defaults: defaults,
      prices: prices, budgets: budgets, upstreams: upstreams, defaultUpstream: defaultIndex,
      routes: routes, logLevel: logLevel, logFormat: logFormat, file: reader.file,
      origins: reader.origins)
  }
}

extension ConfigurationReader {
  mutating func socketPath(isPassed: Bool) -> String? {
    if isPassed { return nil }
    let runtime = surroundings.directory("XDG_RUNTIME_DIR").map { $0 + "/hotline.sock" }
    let variable = surroundings.variable("HOTLINE_SOCKET")
    let choices: [(String?, String, Origin)] = [
      (options.socket, "--socket", .flag), (variable, "$HOTLINE_SOCKET", .environment),
      (configuredSocketPath, "socket.path", .file), (runtime, "$XDG_RUNTIME_DIR", .environment),
    ]
    guard let (chosen, label, origin) = choices.first(where: { $0.0 != nil }), let path = chosen
    else {
      // A path that could not be read, or a file that could not, has been told already.
      let isTold = problems.contains { $0.path == "socket.path" }
      if isTold || (file != nil && document == nil) { return nil }
      problems.append(
        .init(
          "socket.path",
          "there is no path for the socket; give one by --socket PATH, $HOTLINE_SOCKET, path in "
            + "[socket] of the configuration, or $XDG_RUNTIME_DIR"))
      return nil
    }
    origins["socket.path"] = origin
    let bytes = path.utf8.count
    if bytes == 0 {
      problems.append(.init(label, "is empty; a path such as /run/user/1000/hotline.sock would do"))
    } else if bytes > SocketPath.bytesMax {
      problems.append(
        .init(
          label,
          "\(Showable.quoted(path)) has \(bytes) bytes; a Unix socket's path may have "
            + "\(SocketPath.bytesMax)"))
    }
    return path
  }

  private typealias Origin = Configuration.Origin

  /// `--url`, `--api-key-file` and `--ca-file` are the default upstream's.
  mutating func applyFlags(to upstream: inout UpstreamConfiguration) {
    if let text = options.url {
      do throws(UpstreamAddress.Invalid) {
        upstream.endpoint = try UpstreamURL(text)
        origins["upstream.\(upstream.name).url"] = .flag
      } catch {
        problems.append(.init("--url", Self.described(text, error, isSecret: false)))
      }
    }
    if let path = options.caFile {
      if path.isEmpty { problems.append(.init("--ca-file", "is empty; name a PEM file")) }
      upstream.caFile = path
      origins["upstream.\(upstream.name).ca_file"] = .flag
    }
    guard let path = options.apiKeyFile else { return }
    if path.isEmpty {
      problems.append(.init("--api-key-file", "is empty; name a file that holds the key alone"))
    }
    if upstream.hasKeyHeader, case .none = upstream.keyPolicy {
      problems.append(
        .init(
          "--api-key-file",
          "upstream.\(upstream.name) sets the header \(upstream.keyHeader.name) itself; "
            + "leave out the one or the other"))
    }
    var places: [KeyPlace] = []
    if case .lookup(let own) = upstream.keyPolicy { places = own }
    let place = KeyPlace(source: .file(path), label: "--api-key-file", isNamed: true)
    upstream.keyPolicy = .lookup([place] + places)
    origins["upstream.\(upstream.name).api_key_file"] = .flag
  }

  /// The places that nobody has to name, after those that somebody did.
  mutating func addKeyPlaces(to upstream: inout UpstreamConfiguration, isDefault: Bool) {
    guard case .lookup(var places) = upstream.keyPolicy else { return }
    if isDefault {
      if let directory = surroundings.directory("CREDENTIALS_DIRECTORY") {
        places.append(
          .init(
            source: .credential(directory + "/hotline-api-key"),
            label: "$CREDENTIALS_DIRECTORY/hotline-api-key", isNamed: false))
      }
      places.append(
        .init(
          source: .environment("HOTLINE_API_KEY"), label: "$HOTLINE_API_KEY", isNamed: false))
    }
    if let variable = upstream.keyVariable {
      places.append(
        .init(source: .environment(variable), label: "$\(variable)", isNamed: false))
    }
    if let directory = surroundings.configurationDirectory {
      let path = directory + "/keys/\(upstream.name)"
      places.append(.init(source: .file(path), label: path, isNamed: false))
    }
    upstream.keyPolicy = .lookup(places)
  }

  /// One event of the largest size has to fit into the daemon's memory.
  mutating func checkEvents(_ upstreams: [UpstreamConfiguration], _ limits: Limits) {
    let paths = Set(problems.map(\.path))
    guard !paths.contains("socket.memory_max") else { return }
    for upstream in upstreams where upstream.limits.eventBytesMax > limits.memoryBytesMax {
      let parts = ["upstream", upstream.name, "event_bytes_max"]
      guard !paths.contains(Showable.path(parts)) else { continue }
      problems.append(
        .init(
          Showable.path(parts),
          "\(Quantity.text(bytes: upstream.limits.eventBytesMax)) is more than socket.memory_max, "
            + "\(Quantity.text(bytes: limits.memoryBytesMax)); lower it or raise that",
          line: document?.outline.line(of: parts)))
    }
  }

  mutating func logLevel() -> Logger.Level {
    guard let text = options.logLevel else { return .info }
    if let level = Logger.Level(rawValue: text) {
      origins["log_level"] = .flag
      return level
    }
    let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
    problems.append(
      .init("--log-level", "\(Showable.quoted(text)) is no level; one of \(known) would do"))
    return .info
  }

  mutating func logFormat() -> LogFormat {
    guard let text = options.logFormat else { return .auto }
    if let format = LogFormat(rawValue: text) {
      origins["log_format"] = .flag
      return format
    }
    let known = LogFormat.allCases.map(\.rawValue).joined(separator: ", ")
    problems.append(
      .init("--log-format", "\(Showable.quoted(text)) is no format; one of \(known) would do"))
    return .auto
  }
}
