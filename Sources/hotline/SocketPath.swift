import ArgumentParser
import Glibc

/// Where the daemon's socket is.
struct SocketOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The daemon's socket.", valueName: "path"), completion: .file())
  var socket: String?

  func path() throws(CommandFailure) -> String { try Self.path(given: socket) }

  /// The path that is first set; an empty variable counts as unset.
  ///
  /// - Parameter option: the value of `--socket`.
  /// - Throws: `.configuration` if there is none, or none that a socket address can hold.
  static func path(given option: String?) throws(CommandFailure) -> String {
    guard let path = path(option: option, variable: environment) else {
      throw CommandFailure(
        .configuration,
        "no socket path is known; give --socket PATH, or set HOTLINE_SOCKET or XDG_RUNTIME_DIR")
    }
    guard path.utf8.count <= pathBytesMax else {
      throw CommandFailure(
        .configuration,
        "the socket path \(path) has \(path.utf8.count) bytes, a Unix socket takes "
          + "\(pathBytesMax); choose a shorter one with --socket or HOTLINE_SOCKET")
    }
    return path
  }

  /// Bytes of the longest path: `sun_path` less its NUL (unix(7)).
  static let pathBytesMax = 107

  static func path(option: String?, variable: (String) -> String?) -> String? {
    func value(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }
    if let option, !option.isEmpty { return option }
    if let path = value("HOTLINE_SOCKET") { return path }
    // A relative one is to be ignored (XDG Base Directory Specification).
    guard let directory = value("XDG_RUNTIME_DIR"), directory.hasPrefix("/") else { return nil }
    return directory + "/hotline.sock"
  }

  private static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }
}
