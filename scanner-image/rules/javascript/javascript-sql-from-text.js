async function find(db, name) {
  // ruleid: javascript-sql-from-text
  await db.query(`SELECT * FROM users WHERE name = '${name}'`)
  const sql = "SELECT * FROM users WHERE name = '" + name + "'"
  // ruleid: javascript-sql-from-text
  await db.query(sql)
  // ok: javascript-sql-from-text
  await db.query('SELECT * FROM users WHERE name = $1', [name])
  // ok: javascript-sql-from-text
  await db.query('SELECT * FROM users ' + 'ORDER BY name')
}
