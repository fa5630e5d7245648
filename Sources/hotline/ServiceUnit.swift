/// What to tell of the service behind a socket: the user's own, or an instance of the system's.
struct ServiceUnit: Hashable {
  /// `hotlined`, `hotlined@NAME`.
  let name: String
  let isSystems: Bool

  /// Instances of the system's listen at `/run/hotline/NAME.sock`.
  init(socketPath: String) {
    let directory = "/run/hotline/"
    let suffix = ".sock"
    let isInstance = socketPath.hasPrefix(directory) && socketPath.hasSuffix(suffix)
    let instance = isInstance ? socketPath.dropFirst(directory.count).dropLast(suffix.count) : ""
    isSystems = !instance.isEmpty && !instance.contains("/")
    name = isSystems ? "hotlined@\(instance)" : "hotlined"
  }

  private var option: String { isSystems ? "" : "--user " }
  var start: String { "systemctl \(option)enable --now \(name).socket" }
  var restart: String { "systemctl \(option)restart \(name)" }
  var log: String { "journalctl \(option)-u \(name)" }
}
