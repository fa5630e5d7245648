import HotlineCore
import HotlineSystem
import Logging
import TOMLKit

/// Puts file, environment and flags together, and collects every problem on the way.
struct ConfigurationReader {
  let options: CommandLineOptions
  let surroundings: Surroundings
  var problems: [ConfigurationProblem] = []
  var origins: [String: Configuration.Origin] = [:]
  var document: ConfigurationDocument?
  /// The configuration file; relative paths in it begin at its directory.
  var file: String?

  /// The tables of the document, and its own keys.
  private(set) var socketTable: TOMLTable?
  private(set) var queueTable: TOMLTable?
  private(set) var defaultsTable: TOMLTable?
  private(set) var metricsTable: TOMLTable?
  private(set) var routeTable: TOMLTable?
  private(set) var priceTable: TOMLTable?
  private(set) var tagTable: TOMLTable?
  private(set) var upstreamTable: TOMLTable?
  private(set) var defaultUpstream: String?
  private(set) var budgetPerDay: Double?
  private(set) var accessLog: AccessLog.Target?
  /// `path` in `[socket]`, resolved.
  private(set) var configuredSocketPath: String?

  init(options: CommandLineOptions, surroundings: Surroundings) {
    self.options = options
    self.surroundings = surroundings
  }

  mutating func finish(_ reader: TableReader) {
    problems += reader.problems
    for key in reader.accepted { origins[key] = .file }
  }

  mutating func readFile() {
    guard let (path, bytes) = fileContent() else { return }
    file = path
    do throws(ConfigurationError) {
      let document = try ConfigurationDocument(bytes)
      problems += document.problems
      self.document = document
    } catch {
      problems += error.problems
    }
    var root = reader([], document?.table, Schema.rootKeys)
    socketTable = root.subtable("socket")
    queueTable = root.subtable("queue")
    defaultsTable = root.subtable("defaults")
    metricsTable = root.subtable("metrics")
    routeTable = root.subtable("route")
    priceTable = root.subtable("price")
    tagTable = root.subtable("tag")
    upstreamTable = root.subtable("upstream")
    defaultUpstream = root.string("default_upstream", such: Self.builtIn)
    budgetPerDay = root.decimal("budget_usd_per_day", 0...Schema.budgetMax, such: "5")
    accessLog = accessLog(&root)
    problems += root.problems
    if accessLog != nil { origins["access_log"] = .file }
    if defaultUpstream != nil { origins["default_upstream"] = .file }
    if budgetPerDay != nil { origins["budget_usd_per_day"] = .file }
  }

  private mutating func fileContent() -> (String, [UInt8])? {
    let named = options.config
    guard
      let path = named ?? surroundings.configurationDirectory.map({ $0 + "/config.toml" })
    else { return nil }
    let label = named == nil ? "" : "--config"
    let shown = LogText.sanitized(path)
    switch surroundings.readFile(path, Schema.fileBytesMax) {
    case .success(let bytes): return (path, bytes)
    case .failure(.missing):
      guard named != nil else { return nil }
      problems.append(.init(label, "there is no file \(shown); name one that exists"))
    case .failure(.unreadable(let reason)):
      problems.append(
        .init(label, "\(shown) cannot be read (\(reason)); the daemon's user has to be able to"))
    case .failure(.notRegular):
      problems.append(.init(label, "\(shown) is not a regular file; name one that is"))
    case .failure(.tooLarge(let bytesMax)):
      problems.append(.init(label, "\(shown) has more than \(bytesMax) bytes, the most taken"))
    }
    return nil
  }

  func reader(_ path: [String], _ table: TOMLTable?, _ known: [String]) -> TableReader {
    TableReader(path: path, table: table, outline: document?.outline, known: known)
  }

  /// A path of the file: `~/` is the home, and what is relative begins at the file's directory.
  func resolved(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    if path.hasPrefix("~/"), let home = surroundings.home { return home + path.dropFirst() }
    guard let file, let slash = file.lastIndex(of: "/") else { return path }
    return file[...slash] + path
  }

  /// A path of the file under `key`, resolved; the file it names may be missing.
  func path(_ key: String, _ reader: inout TableReader, such example: String) -> String? {
    guard let text = reader.string(key, such: example) else { return nil }
    guard !text.isEmpty, text.utf8.count <= 4095, !text.utf8.contains(where: { $0 < 0x20 }) else {
      reader.reject(key, "\(reader.shown(key, text))is no path; \"\(example)\" would do")
      return nil
    }
    guard !text.hasPrefix("~") || (text.hasPrefix("~/") && surroundings.home != nil) else {
      reader.reject(
        key,
        "\(reader.shown(key, text))begins with ~, and only ~/ with a known home directory is "
          + "understood; write the path out")
      return nil
    }
    return resolved(text)
  }

  mutating func readLimits() -> (Limits, Configuration.Service) {
    var limits = Limits()
    var service = Configuration.Service()
    var socket = reader(["socket"], socketTable, Schema.socketKeys)
    socket.read(Schema.socket, into: &limits)
    socket.read(Schema.service, into: &service)
    if let uids = socket.identifiers("allowed_uids") { service.allowedUIDs = uids }
    if let gids = socket.identifiers("allowed_gids") { service.allowedGIDs = gids }
    configuredSocketPath = path("path", &socket, such: "~/hotline.sock")
    let memory = limits.memoryBytesMax
    for (key, bytes) in [
      ("line_bytes_max", limits.lineBytesMax), ("buffer_bytes_max", limits.bufferBytesMax),
    ] where bytes > memory && socket.rejected.isDisjoint(with: [key, "memory_max"]) {
      socket.reject(
        key,
        "\(Quantity.text(bytes: bytes)) is more than memory_max, "
          + "\(Quantity.text(bytes: memory)); lower it or raise memory_max")
    }
    finish(socket)
    var queue = reader(["queue"], queueTable, Schema.queueKeys)
    queue.read(Schema.queue, into: &limits)
    if limits.waitTimeout > limits.requestTimeout,
      queue.rejected.isDisjoint(with: ["wait_timeout", "request_timeout"])
    {
      queue.reject(
        "wait_timeout",
        "\"\(Quantity.text(limits.waitTimeout))\" is longer than request_timeout, "
          + "\"\(Quantity.text(limits.requestTimeout))\"; lower it or raise request_timeout")
    }
    finish(queue)
    return (limits, service)
  }

  mutating func readDefaults() -> Configuration.RequestDefaults {
    var defaults = Configuration.RequestDefaults()
    var reader = reader(["defaults"], defaultsTable, Schema.defaultsKeys)
    defaults.model = text("model", &reader, Schema.modelCharacters, such: "gpt-5.3-codex")
    defaults.instructions = text(
      "instructions", &reader, Schema.instructionsCharacters, such: "Be brief.", isProse: true)
    finish(reader)
    return defaults
  }

  private func text(
    _ key: String, _ reader: inout TableReader, _ characters: ClosedRange<Int>,
    such example: String, isProse: Bool = false
  ) -> String? {
    guard let text = reader.string(key, such: example) else { return nil }
    guard characters.contains(text.count) else {
      reader.reject(
        key,
        "has \(text.count) characters; \(characters.lowerBound) to \(characters.upperBound) "
          + "would do")
      return nil
    }
    guard isProse || !text.unicodeScalars.contains(where: \.isControl) else {
      reader.reject(key, "\(Showable.quoted(text)) has a control character in it; leave it out")
      return nil
    }
    return text
  }
}

extension Unicode.Scalar {
  var isControl: Bool { properties.generalCategory == .control }
}
