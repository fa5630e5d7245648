/// The messages that programs look for and the journal explains (`journalctl --catalog`): their
/// words, and the MESSAGE_ID of each, which never changes. `Packaging/systemd/hotline.catalog` has
/// the explanations.
enum LogMessage: String, CaseIterable {
  case listening = "listening"
  case configurationReloaded = "configuration reloaded"
  case configurationKept = "configuration not reloaded: everything is as before"
  case connectionEnded = "upstream connection ended"
  case clientRefused = "a client was refused"
  case hungUp = """
    a client hung up half a second after it had shut down its writing side, and its request was \
    cancelled; socat does that unless it is given -t 3600
    """
  case terminating = "terminating: accepted requests are finished first"
  case stopped = "stopped"

  var id: String {
    switch self {
    case .listening: "fbf38504e790438c8d5f842a6a600db5"
    case .configurationReloaded: "041923af902b4d4986c0fd138ddfcd0a"
    case .configurationKept: "e296e2415dd1484d919bac9a06bcbdec"
    case .connectionEnded: "545ec759b07047768fe915e82db94c2e"
    case .clientRefused: "53569bbbc5594d61b6d93708b114a42b"
    case .hungUp: "d42c4e9f9c9146118b109bb7ff23ab61"
    case .terminating: "068ab8008cd246748c5648a551c73056"
    case .stopped: "9d5b2970832d41adad23a98a1ce0e99f"
    }
  }

  /// For the log, by the messages' words.
  static var ids: [String: String] {
    Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0.id) })
  }
}
