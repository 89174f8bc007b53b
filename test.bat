@echo off
rem Runs the tests; the first time it makes the environment in .venv. Arguments go to pytest (try -k images).
setlocal EnableExtensions
call "%~dp0run.bat" --prepare-only dev || exit /b 1
cd /d "%~dp0"
".venv\Scripts\python.exe" -m pytest %*
exit /b %ERRORLEVEL%
