import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.Statement;

class Users {
  void find(Connection connection, String name) throws Exception {
    Statement statement = connection.createStatement();
    // ruleid: java-sql-from-text
    statement.executeQuery("SELECT * FROM users WHERE name = '" + name + "'");
    String sql = String.format("SELECT * FROM users WHERE name = '%s'", name);
    // ruleid: java-sql-from-text
    statement.executeQuery(sql);
    // ok: java-sql-from-text
    PreparedStatement safe = connection.prepareStatement("SELECT * FROM users WHERE name = ?");
    safe.setString(1, name);
    // ok: java-sql-from-text
    statement.executeQuery("SELECT * FROM users " + "ORDER BY name");
  }
}
