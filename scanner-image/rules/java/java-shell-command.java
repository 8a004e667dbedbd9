class Tools {
  void ping(String host) throws Exception {
    // ruleid: java-shell-command
    Runtime.getRuntime().exec("ping -c 1 " + host);
    // ruleid: java-shell-command
    new ProcessBuilder("sh", "-c", "ping " + host).start();
    // ok: java-shell-command
    new ProcessBuilder("ping", "-c", "1", host).start();
    // ok: java-shell-command
    Runtime.getRuntime().exec("sync");
  }
}
