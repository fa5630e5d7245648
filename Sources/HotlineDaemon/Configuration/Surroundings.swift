import Glibc
import HotlineSystem

/// What the configuration is read from besides the flags, so that tests can stand in for it.
package struct Surroundings: Sendable {
  /// The variables that matter. `HOTLINE_API_KEY` is not among them: it is read as a secret. Those
  /// of a proxy may have a password in them: not to be printed.
  package var environment: [String: String]
  /// The home directory, for `~/`.
  package var home: String?
  /// A whole file of at most so many bytes.
  package var readFile: @Sendable (_ path: String, _ bytesMax: Int) -> Result<[UInt8], FileProblem>
  /// A key; nil where nothing is there.
  package var readSecret: @Sendable (SecretSource) -> Result<Secret?, KeyProblem>

  package init(
    environment: [String: String], home: String?,
    readFile: @escaping @Sendable (String, Int) -> Result<[UInt8], FileProblem>,
    readSecret: @escaping @Sendable (SecretSource) -> Result<Secret?, KeyProblem>
  ) {
    self.environment = environment
    self.home = home
    self.readFile = readFile
    self.readSecret = readSecret
  }

  /// The variables that the daemon looks at; others are read for a key only.
  static let variables =
    [
      "HOTLINE_SOCKET", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "CREDENTIALS_DIRECTORY", "HOME",
      "STATE_DIRECTORY", "XDG_STATE_HOME",
    ] + ConfigurationReader.proxyVariables + ConfigurationReader.bypassVariables

  /// This process's own. At start, before other threads change the environment.
  package static var process: Surroundings {
    var environment: [String: String] = [:]
    for name in variables {
      environment[name] = getenv(name).map { String(cString: $0) }
    }
    return Surroundings(
      environment: environment, home: environment["HOME"] ?? homeOfUser(),
      readFile: { SmallFile.read($0, bytesMax: $1) },
      readSecret: { source in
        do throws(KeyProblem) {
          return .success(try source.read())
        } catch {
          return .failure(error)
        }
      })
  }

  /// From the user database (getpwuid(3)).
  private static func homeOfUser() -> String? {
    guard let entry = getpwuid(geteuid()), let directory = entry.pointee.pw_dir else { return nil }
    return String(cString: directory)
  }

  /// Whether a text may name a variable (POSIX.1-2024, XBD 8.1).
  static func isVariable(_ name: String) -> Bool {
    let bytes = name.utf8
    guard 1...128 ~= bytes.count, let first = bytes.first, !(0x30...0x39 ~= first) else {
      return false
    }
    return bytes.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
      default: false
      }
    }
  }

  /// A variable that is set and not empty.
  func variable(_ name: String) -> String? {
    environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// A directory that a variable names. Relative ones are to be ignored (XDG Base Directory
  /// Specification, Environment variables).
  func directory(_ name: String) -> String? {
    variable(name).flatMap { $0.hasPrefix("/") ? $0 : nil }
  }

  /// The first directory of `$STATE_DIRECTORY` (systemd.exec(5)), `$XDG_STATE_HOME/hotline`, or
  /// `~/.local/state/hotline`.
  var stateDirectory: String? {
    let ofService = variable("STATE_DIRECTORY")?.split(separator: ":").first.map(String.init)
    if let ofService, ofService.hasPrefix("/") { return ofService }
    if let directory = directory("XDG_STATE_HOME") { return directory + "/hotline" }
    return home.map { $0 + "/.local/state/hotline" }
  }

  /// `$XDG_CONFIG_HOME/hotline`, or `~/.config/hotline`.
  var configurationDirectory: String? {
    if let directory = directory("XDG_CONFIG_HOME") { return directory + "/hotline" }
    return home.map { $0 + "/.config/hotline" }
  }
}
