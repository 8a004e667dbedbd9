import sqlite3


def find(connection, name):
    # ruleid: python-sql-from-text
    connection.execute(f"SELECT * FROM users WHERE name = '{name}'")
    query = "SELECT * FROM users WHERE name = '%s'" % name
    # ruleid: python-sql-from-text
    connection.cursor().execute(query)
    # ruleid: python-sql-from-text
    connection.execute("DELETE FROM users WHERE name = '" + name + "'")
    # ruleid: python-sql-from-text
    connection.execute("SELECT {} FROM users".format(name))
    # ok: python-sql-from-text
    connection.execute("SELECT * FROM users WHERE name = ?", (name,))
    # ok: python-sql-from-text
    connection.execute("SELECT * FROM users " + "ORDER BY name")
